"""What stands in the work queues: read without taking anything."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from nats.errors import NoRespondersError
from nats.js import api
from nats.js.errors import APIError, NotFoundError
from pydantic import ValidationError

from runner.bus.connection import Connection
from runner.bus.directget import StoredMessage, read_batch, read_next, read_one
from runner.bus.sightings import Sighting, Sightings
from runner.bus.streams import context
from runner.subjects import Subjects, TaskCall, priority_consumer
from runner.work import Priority, WorkRequest

ANSWER_SECONDS = 5.0
_URGENCY = {priority: level for level, priority in enumerate(Priority)}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A task that is not acknowledged: it waits, or somebody works on it."""

    call: TaskCall
    request: WorkRequest
    sequence: int


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a task is in its queue. `given_back`: it was delivered, and waits again."""

    priority: Priority
    sequence: int
    given_back: bool = False


class Backlog:
    """Reads the queues of a network with the runner's own connection."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self._connection = connection
        self._subjects = subjects
        self._sightings = Sightings(connection, subjects)

    async def find(self, ensembles: Iterable[str], caller: str, request_id: str) -> Waiting | None:
        """A request of this caller in one of these queues, or None: then it was in none when this was asked."""
        for fresh in (False, True):
            if fresh:
                await self._sightings.look(ensembles)
            while sighting := self._sightings.last(caller, request_id):
                if waiting := await self._at(sighting):
                    return waiting
                self._sightings.gone(caller, request_id, sighting)
        return None

    async def _at(self, sighting: Sighting) -> Waiting | None:
        stream = self._subjects.work_stream(sighting.ensemble)
        message = await read_one(self._connection, stream, sighting.sequence)
        return self._waiting(message) if message else None

    def _waiting(self, message: StoredMessage) -> Waiting | None:
        call = self._subjects.parse_work(message.subject)
        try:
            request = WorkRequest.model_validate_json(message.data)
        except ValidationError:
            return None
        return Waiting(call, request, message.sequence) if call else None

    async def waiting(self, ensemble: str, *, caller: str = "*") -> AsyncIterator[Waiting]:
        """Every task in one ensemble's queue, oldest first."""
        subject = self._subjects.work(caller, ensemble, "*", "*")
        async for message in read_batch(self._connection, self._subjects.work_stream(ensemble), subject):
            if waiting := self._waiting(message):
                yield waiting

    async def holds(self, ensemble: str, capability: str) -> bool:
        """Whether any task for a capability is not acknowledged. Raises what `AWAY` lists."""
        subject = self._subjects.work("*", ensemble, "*", capability)
        return await read_next(self._connection, self._subjects.work_stream(ensemble), subject, 1) is not None

    async def depths(self, ensemble: str) -> dict[Priority, int]:
        """How many tasks of each priority are not acknowledged: they wait, or somebody works on them."""
        counts = await asyncio.gather(*(self._unacknowledged(ensemble, priority) for priority in Priority))
        return dict(zip(Priority, counts, strict=True))

    async def undelivered(self, ensemble: str) -> int:
        """How many tasks are in nobody's hands."""
        return sum(await asyncio.gather(*(self._undelivered(ensemble, priority) for priority in Priority)))

    async def positions(self, ensemble: str, spots: Sequence[Spot]) -> list[int | None]:
        """How many tasks are served before the one at each spot; None where it is in somebody's hands.

        All that wait with higher priorities, and of its own those that wait less those that came after it. What was
        given back is delivered before all of its own priority.
        """
        wanted = max(_URGENCY[spot.priority] for spot in spots)
        levels = list(Priority)[: wanted + 1]
        found = dict(zip(levels, await asyncio.gather(*(self._consumer(ensemble, p) for p in levels)), strict=True))
        waiting = {priority: (info.num_pending or 0) if info else 0 for priority, info in found.items()}

        async def position(spot: Spot) -> int | None:
            before = sum(waiting[priority] for priority in levels[: _URGENCY[spot.priority]])
            own = found[spot.priority]
            if spot.given_back:
                return before
            if own is None or own.delivered is None or own.delivered.stream_seq >= spot.sequence:
                return None
            ends = (own.delivered.stream_seq, spot.sequence)  # a consumer counts what came a moment too late
            undelivered, after = await asyncio.gather(*(self._after(ensemble, spot.priority, end) for end in ends))
            return before + max(0, undelivered - after - 1)

        return list(await asyncio.gather(*map(position, spots)))

    async def head(self, ensemble: str, priority: Priority) -> float | None:
        """When the next task of a priority became durable, in seconds of the server's clock; None where none waits."""
        found = await self._consumer(ensemble, priority)
        if found is None or found.delivered is None or not found.num_pending:
            return None
        subject, start = self._subjects.work("*", ensemble, priority, "*"), found.delivered.stream_seq + 1
        message = await read_next(self._connection, self._subjects.work_stream(ensemble), subject, start)
        return datetime.fromisoformat(message.stamp).timestamp() if message else None

    async def _unacknowledged(self, ensemble: str, priority: Priority) -> int:
        found = await self._consumer(ensemble, priority)
        return (found.num_pending or 0) + (found.num_ack_pending or 0) if found else 0

    async def _undelivered(self, ensemble: str, priority: Priority) -> int:
        found = await self._consumer(ensemble, priority)
        return (found.num_pending or 0) if found else 0

    async def _consumer(self, ensemble: str, priority: Priority) -> api.ConsumerInfo | None:
        """None where the server has just restarted and the consumer is not made again yet.

        Raises what `AWAY` lists, also where the server answers that it cannot tell: its store may be out of order, or
        without a leader.
        """
        stream, name = self._subjects.work_stream(ensemble), priority_consumer(priority)
        try:
            found: api.ConsumerInfo = await context(self._connection).consumer_info(stream, name)
        except NotFoundError:
            return None
        except APIError as problem:
            raise NoRespondersError from problem
        return found

    async def _after(self, ensemble: str, priority: Priority, sequence: int) -> int:
        """How many tasks of this priority came after a sequence: the server tells with the first of them."""
        subject = self._subjects.work("*", ensemble, priority, "*")
        body = json.dumps({"seq": sequence + 1, "next_by_subj": subject, "batch": 1}).encode()
        stream = self._subjects.work_stream(ensemble)
        answer = await self._connection.request(f"$JS.API.DIRECT.GET.{stream}", body, timeout=ANSWER_SECONDS)
        headers = answer.headers or {}
        return 0 if "Status" in headers else int(headers.get("Nats-Num-Pending", 0)) + 1
