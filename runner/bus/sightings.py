"""Where in the queues each request was seen last: what makes finding one cheap, however many ask and wait.

A queue only ever grows at its end, so that everything in it has to be read once: a look reads on from where the last
one stopped. What was seen may be gone since; whoever finds it here makes sure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import ValidationError

from runner.bus.connection import Connection
from runner.bus.directget import StoredMessage, read_batch
from runner.subjects import Subjects
from runner.work import WorkRequest

REMEMBERED = 50_000
"""Beyond this most of what is remembered is gone: everything that still stands is read again."""

MOST_PLACES = 8
"""Of how many messages of one request the places are remembered."""

SIDE_BY_SIDE = 32


@dataclass(frozen=True, slots=True)
class Sighting:
    """A request was at this place."""

    ensemble: str
    sequence: int


@dataclass(slots=True, eq=False)
class Sightings:
    """Reads the queues of some ensembles; who asks while others do shares their look, if it began after the asking."""

    connection: Connection
    subjects: Subjects
    _places: dict[tuple[str, str], tuple[Sighting, ...]] = field(default_factory=dict)
    """Oldest first: of a request that was sent again, or is being moved, the later message may go before the other."""
    _named: dict[tuple[str, str], tuple[Sighting, ...]] = field(default_factory=dict)
    """By the caller that the request names, where somebody else sent it: a hand-off. What is sent oneself comes first.
    """
    _read_to: dict[str, int] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _begun: int = 0
    _whole: int = 0

    def last(self, caller: str, request_id: str) -> Sighting | None:
        found = self._places.get((caller, request_id)) or self._named.get((caller, request_id))
        return found[-1] if found else None

    def gone(self, caller: str, request_id: str, sighting: Sighting) -> None:
        """It is not there any more."""
        for places in (self._places, self._named):
            seen = places.get((caller, request_id), ())
            if left := tuple(one for one in seen if one != sighting):
                places[caller, request_id] = left
            elif seen:
                del places[caller, request_id]

    async def look(self, ensembles: Iterable[str]) -> None:
        """Everything that is in these queues now has been seen. Raises what `away.AWAY` lists."""
        wanted = self._begun + 1
        async with self._turn:
            if self._whole >= wanted:
                return  # somebody's look, begun after this one was asked for
            self._begun += 1
            await self._read_on(ensembles)
            self._whole = self._begun

    async def _read_on(self, ensembles: Iterable[str]) -> None:
        if len(self._places) + len(self._named) > REMEMBERED:
            self._places.clear()
            self._named.clear()
            self._read_to.clear()
        gate = asyncio.Semaphore(SIDE_BY_SIDE)

        async def read(ensemble: str) -> None:
            async with gate:
                await self._read_queue(ensemble)

        await asyncio.gather(*map(read, ensembles))

    async def _read_queue(self, ensemble: str) -> None:
        stream, everything = self.subjects.work_stream(ensemble), self.subjects.work_of(ensemble)
        start = self._read_to.get(ensemble, 0) + 1
        async for message in read_batch(self.connection, stream, everything, start=start):
            self._see(ensemble, message)
            self._read_to[ensemble] = message.sequence

    def _see(self, ensemble: str, message: StoredMessage) -> None:
        call = self.subjects.parse_work(message.subject)
        try:
            request = WorkRequest.model_validate_json(message.data)
        except ValidationError:
            return
        if call is None:
            return
        sighting = Sighting(ensemble, message.sequence)
        _add(self._places, (call.caller, request.request_id), sighting)
        if request.caller != call.caller:
            _add(self._named, (request.caller, request.request_id), sighting)


def _add(places: dict[tuple[str, str], tuple[Sighting, ...]], key: tuple[str, str], sighting: Sighting) -> None:
    places[key] = (*places.get(key, ())[-MOST_PLACES + 1 :], sighting)
