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
from runner.bus.seen import Seen, Sighting
from runner.bus.sightings import Sightings
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
        if waiting := await self._seen(caller, request_id):
            return waiting
        await self._sightings.look(ensembles)
        return await self._seen(caller, request_id)

    async def callers(self, ensembles: Iterable[str], request_id: str) -> tuple[str, ...]:
        """Whom the requests of this id name that are in these queues, in order of name.

        It costs one message for each of them, however long the queues are; what is new in them all who ask share.
        """
        await self._sightings.look(ensembles)
        seen = self._sightings.seen
        return tuple([name for name in sorted(seen.callers(request_id)) if await self._has(seen, name, request_id)])

    async def later(self, waiting: Waiting) -> Waiting | None:
        """The next message of the same request from the same sender in its queue."""
        call, request_id = waiting.call, waiting.request.request_id
        await self._sightings.look((call.provider,))
        places = self._sightings.seen.places(call.caller, request_id)
        after = {one.sequence for one in places if one.ensemble == call.provider and one.sequence > waiting.sequence}
        for sequence in sorted(after):
            found = await self._at(Sighting(call.provider, sequence), request_id)
            if found is not None and found.call.caller == call.caller:
                return found
        return None

    def forget(self) -> None:
        """The server may not have what it had: nothing that was seen before counts."""
        self._sightings.forget()

    async def _seen(self, caller: str, request_id: str) -> Waiting | None:
        seen = self._sightings.seen  # begun anew meanwhile, it would not have everything yet
        while sighting := seen.last(caller, request_id):
            if waiting := await self._at(sighting, request_id):
                return waiting
            seen.gone(caller, request_id, sighting)
        return None

    async def _has(self, seen: Seen, caller: str, request_id: str) -> bool:
        """Whether a request that names this caller is there."""
        for sighting in tuple(seen.places(caller, request_id)):
            waiting = await self._at(sighting, request_id)
            if waiting is None:
                seen.gone(caller, request_id, sighting)
            elif waiting.request.caller == caller:
                return True
        return False

    async def _at(self, sighting: Sighting, request_id: str) -> Waiting | None:
        stream = self._subjects.work_stream(sighting.ensemble)
        message = await read_one(self._connection, stream, sighting.sequence)
        waiting = self._waiting(message) if message else None
        return waiting if waiting is not None and waiting.request.request_id == request_id else None

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
        ends = {p: info.delivered.stream_seq for p, info in found.items() if info is not None and info.delivered}
        here = dict.fromkeys(s for s in spots if not s.given_back and ends.get(s.priority, s.sequence) < s.sequence)
        # a consumer counts what came a moment too late: what is undelivered is asked with what came after each
        asked = [(p, end) for p, end in ends.items() if any(spot.priority is p for spot in here)]
        asked += [(spot.priority, spot.sequence) for spot in here]
        after = dict(zip(asked, await asyncio.gather(*(self._after(ensemble, *one) for one in asked)), strict=True))

        def position(spot: Spot) -> int | None:
            before = sum(waiting[priority] for priority in levels[: _URGENCY[spot.priority]])
            if spot.given_back:
                return before
            if spot not in here:
                return None
            own = after[spot.priority, ends[spot.priority]] - after[spot.priority, spot.sequence] - 1
            return before + max(0, own)

        return [position(spot) for spot in spots]

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
