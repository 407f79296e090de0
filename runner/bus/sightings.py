"""Reading the queues for where each request stands: what makes finding one cheap, however many ask and wait.

A queue only ever grows at its end, so that everything in it has to be read once: a look reads on from where the last
one stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from pydantic import ValidationError

from runner.bus.connection import Connection
from runner.bus.directget import SIDE_BY_SIDE_BYTES, StoredMessage, read_batch
from runner.bus.seen import Seen, Sighting
from runner.bus.shared import Shared
from runner.subjects import Subjects
from runner.work import WorkRequest

REMEMBERED = 1024
"""Beyond this, and twice what stood there at the last reading of everything, most of what is remembered is gone: what
still stands is read once more. Each takes some 600 bytes.
"""

SIDE_BY_SIDE = 32
REST_SECONDS = 0.25
"""At most so long between two looks: of a thousand queues one takes a while, and others ask the server as well."""


class Sightings:
    """Reads the queues of some ensembles; who asks while others do shares their look, if it began after the asking."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self.seen = Seen()
        self._connection = connection
        self._subjects = subjects
        self._queues: set[str] = set()
        self._most = REMEMBERED
        self._look = Shared(self._read_on, rest_seconds=REST_SECONDS)

    async def look(self, ensembles: Iterable[str]) -> None:
        """Everything that is in these queues now has been seen. Raises what `away.AWAY` lists."""
        self._queues.update(ensembles)
        await self._look.read()

    def forget(self) -> None:
        """The server may have lost what stood at the end of a queue, and give its sequences to others."""
        self.seen = Seen()

    async def _read_on(self) -> None:
        """Until what was read is what is looked at."""
        queues, self._queues = self._queues, set()
        try:
            await self._read_through(queues)
        except asyncio.CancelledError:
            self._queues |= queues  # others who wait for the same reading do it in its place
            raise

    async def _read_through(self, queues: Iterable[str]) -> None:
        if len(self.seen) > self._most:
            self.forget()
        while True:
            seen, anew = self.seen, not self.seen.read_to
            await self._read_into(seen, queues)
            if seen is self.seen:
                break
        if anew:
            self._most = max(REMEMBERED, 2 * len(seen))

    async def _read_into(self, seen: Seen, ensembles: Iterable[str]) -> None:
        gate = asyncio.Semaphore(SIDE_BY_SIDE)

        async def read(ensemble: str) -> None:
            async with gate:
                await self._read_queue(seen, ensemble)

        await asyncio.gather(*map(read, ensembles))

    async def _read_queue(self, seen: Seen, ensemble: str) -> None:
        stream, everything = self._subjects.work_stream(ensemble), self._subjects.work_of(ensemble)
        start = seen.read_to.get(ensemble, 0) + 1
        batches = read_batch(self._connection, stream, everything, start=start, most_bytes=SIDE_BY_SIDE_BYTES)
        async for message in batches:
            self._see(seen, ensemble, message)
            seen.read_to[ensemble] = message.sequence

    def _see(self, seen: Seen, ensemble: str, message: StoredMessage) -> None:
        call = self._subjects.parse_work(message.subject)
        try:
            request = WorkRequest.model_validate_json(message.data)
        except ValidationError:
            return
        if call is not None:
            seen.see(call.caller, request.caller, request.request_id, Sighting(ensemble, message.sequence))
