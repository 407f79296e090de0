"""Which request of a caller was the first with its content: one of several that are the same is worked on.

The key of a content names the first request, by compare-and-set. Where that one came to nothing, or nobody knows it
any more, the next takes its place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable

from runner.bus.away import AWAY
from runner.bus.backlog import Backlog
from runner.bus.records import Bucket
from runner.errors import ServerFailed
from runner.host.desk import First, StoreAway
from runner.payload import comparable
from runner.subjects import record_key
from runner.work import Record, Status, WorkRequest


def content_of(request: WorkRequest, capability: str) -> str:
    """What makes two requests of one caller the same, as a key token. `capability` is `ensemble/name`."""
    context = comparable(request.context, request.request_id)
    content = json.dumps([capability, request.authority, context], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()[:40]


class Contents:
    """Over the `contents` bucket, whose keys are kept as long as results are. `queues` tells where tasks may wait."""

    def __init__(self, bucket: Bucket, results: Bucket, backlog: Backlog, queues: Callable[[], Iterable[str]]) -> None:
        self._bucket = bucket
        self._results = results
        self._backlog = backlog
        self._queues = queues

    async def first(self, caller: str, content: str, request_id: str) -> First | None:
        """The first request with a content, at work or completed; None: from now on it is this one.

        Raises StoreAway.
        """
        try:
            return await self._first(caller, f"{caller}.{content}", request_id)
        except (ServerFailed, *AWAY) as problem:
            raise StoreAway from problem

    async def _first(self, caller: str, key: str, request_id: str) -> First | None:
        while True:
            entry = await self._bucket.get(key)
            if entry is not None and (other := entry.value.decode()) != request_id:
                record = await self._record(caller, other)
                if record is not None and record.response is not None:
                    if record.response.status is Status.COMPLETED:
                        return First(other, record.response)
                elif await self._is_at_work(caller, other, record):
                    return First(other)
                elif (ended := await self._record(caller, other)) is not None and ended.response is not None:
                    continue  # it ended between the two looks
            elif entry is not None:
                return None
            if await self._bucket.put_if(key, request_id.encode(), entry.revision if entry else 0) is not None:
                return None

    async def _record(self, caller: str, request_id: str) -> Record | None:
        entry = await self._results.get(record_key(caller, request_id))
        return Record.model_validate_json(entry.value) if entry else None

    async def _is_at_work(self, caller: str, request_id: str, record: Record | None) -> bool:
        """Whether the request is in a queue, or on its way into another one."""
        if record is not None and record.moved is not None:
            return True
        return await self._backlog.find(self._queues(), caller, request_id) is not None
