"""What stands in the work queues: read without taking anything."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from nats.js import api
from nats.js.errors import NotFoundError
from pydantic import ValidationError

from runner.bus.connection import Connection
from runner.bus.directget import read_batch
from runner.bus.streams import context
from runner.subjects import Subjects, TaskCall, priority_consumer
from runner.work import Priority, WorkRequest

ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """A task that is not acknowledged: it waits, or somebody works on it."""

    call: TaskCall
    request: WorkRequest


class Backlog:
    """Reads the queues of a network with the runner's own connection."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self._connection = connection
        self._subjects = subjects

    async def waiting(self, ensemble: str, *, caller: str = "*") -> AsyncIterator[Waiting]:
        """Every task in one ensemble's queue, oldest first."""
        subject = self._subjects.work(caller, ensemble, "*", "*")
        async for message in read_batch(self._connection, self._subjects.work_stream(ensemble), subject):
            call = self._subjects.parse_work(message.subject)
            try:
                request = WorkRequest.model_validate_json(message.data)
            except ValidationError:
                continue
            if call is not None:
                yield Waiting(call, request)

    async def depths(self, ensemble: str) -> dict[Priority, int]:
        """How many tasks of each priority are not acknowledged: they wait, or somebody works on them."""
        counts = await asyncio.gather(*(self._unacknowledged(ensemble, priority) for priority in Priority))
        return dict(zip(Priority, counts, strict=True))

    async def position(self, ensemble: str, priority: Priority, sequence: int) -> int:
        """How many tasks are served before the one with this stream sequence.

        All that wait with higher priorities, and of its own those that wait less those that came after it.
        """
        urgent = [level for level in Priority if list(Priority).index(level) <= list(Priority).index(priority)]
        depths, after = await asyncio.gather(
            asyncio.gather(*(self._undelivered(ensemble, level) for level in urgent)),
            self._after(ensemble, priority, sequence),
        )
        return max(0, sum(depths) - after - 1)

    async def _unacknowledged(self, ensemble: str, priority: Priority) -> int:
        found = await self._consumer(ensemble, priority)
        return (found.num_pending or 0) + (found.num_ack_pending or 0) if found else 0

    async def _undelivered(self, ensemble: str, priority: Priority) -> int:
        found = await self._consumer(ensemble, priority)
        return (found.num_pending or 0) if found else 0

    async def _consumer(self, ensemble: str, priority: Priority) -> api.ConsumerInfo | None:
        """None where the server has just restarted and the consumer is not made again yet."""
        stream, name = self._subjects.work_stream(ensemble), priority_consumer(priority)
        try:
            found: api.ConsumerInfo = await context(self._connection).consumer_info(stream, name)
        except NotFoundError:
            return None
        return found

    async def _after(self, ensemble: str, priority: Priority, sequence: int) -> int:
        """How many tasks of this priority came after a sequence: the server tells with the first of them."""
        subject = self._subjects.work("*", ensemble, priority, "*")
        body = json.dumps({"seq": sequence + 1, "next_by_subj": subject, "batch": 1}).encode()
        stream = self._subjects.work_stream(ensemble)
        answer = await self._connection.request(f"$JS.API.DIRECT.GET.{stream}", body, timeout=ANSWER_SECONDS)
        headers = answer.headers or {}
        return 0 if "Status" in headers else int(headers.get("Nats-Num-Pending", 0)) + 1
