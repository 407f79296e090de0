"""The event stream: written without waiting, read in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

from nats.aio.msg import Msg
from nats.errors import Error
from pydantic import ValidationError

from runner.bus.connection import Connection, settled
from runner.bus.directget import read_batch
from runner.endings import ended
from runner.event import Event
from runner.subjects import Subjects

NO_TRACE = "-"
BATCH_SECONDS = 0.1
"""Measured: at a tenth of it, what the server does with events adds a sixth to the median of a tool call."""

OVERLAP = 4096
"""How many of the last kept events may arrive a second time while following begins."""

Making = Callable[[], Event]
"""Makes an event of what is known already."""

_log = logging.getLogger("runner.bus")


class Events:
    """One writer's door to the event stream, and anybody's reader of it."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self._connection = connection
        self._subjects = subjects
        self._unsent: list[tuple[Event | Making, str | None]] = []
        self._sending: asyncio.Task[None] | None = None

    def write(self, event: Event | Making, *, once: str | None = None) -> None:
        """Send soon, without waiting for the server: an event is never worth a request's time, nor its failure.

        Events leave in batches: one that travelled with a reply would hold the reply up in the server; and what is to
        be made of one is made then. Of those that say `once` the same, whoever writes them, the first is kept, for as
        long as the server remembers (2 minutes).
        """
        self._unsent.append((event, once))
        if self._sending is None:
            self._sending = asyncio.ensure_future(self._send_soon())

    async def close(self) -> None:
        """Send what is left."""
        await ended(self._sending)
        await self._send()

    async def _send_soon(self) -> None:
        await asyncio.sleep(BATCH_SECONDS)
        self._sending = None
        await self._send()

    async def _send(self) -> None:
        events, self._unsent = self._unsent, []
        for written, once in events:
            try:
                event = written if isinstance(written, Event) else written()
                trace, request_id = event.trace_id or NO_TRACE, event.request_id or NO_TRACE
                subject = self._subjects.event(event.ensemble, event.kind, trace, request_id)
                headers = {"Nats-Msg-Id": f"{subject}.{once}"} if once else None
                await self._connection.publish(subject, event.encode(), headers=headers)
            except (Error, OSError, ValueError) as problem:
                _log.warning("an event was lost: %s", problem)

    async def read(
        self, *, ensemble: str = "*", kind: str = "*", trace: str = "*", request_id: str = "*"
    ) -> AsyncIterator[Event]:
        """What has happened, oldest first."""
        subject = self._subjects.events(ensemble=ensemble, kind=kind, trace=trace, request_id=request_id)
        async for message in read_batch(self._connection, self._subjects.event_stream(), subject):
            if (event := _decoded(message.data)) is not None:
                yield event

    async def live(self) -> AsyncIterator[Event]:
        """What happens from now on in the whole network, until the caller stops asking."""
        arrived: asyncio.Queue[Msg] = asyncio.Queue()
        subscription = await self._connection.subscribe(self._subjects.events(), cb=arrived.put)
        try:
            while True:
                if (event := _decoded((await arrived.get()).data)) is not None:
                    yield event
        finally:
            if not self._connection.is_closed:
                await subscription.unsubscribe()

    async def follow(self, *, ensemble: str = "*", trace: str = "*", request_id: str = "*") -> AsyncIterator[Event]:
        """What has happened, oldest first, and what happens from now on, until the caller stops asking."""
        arrived: asyncio.Queue[Msg] = asyncio.Queue()
        subject = self._subjects.events(ensemble=ensemble, trace=trace, request_id=request_id)
        subscription = await self._connection.subscribe(subject, cb=arrived.put)
        await settled(self._connection)
        try:
            kept = [event async for event in self.read(ensemble=ensemble, trace=trace, request_id=request_id)]
            for event in kept:
                yield event
            told = set(kept[-OVERLAP:])
            while True:
                fresh = _decoded((await arrived.get()).data)
                if fresh is not None and fresh not in told:
                    yield fresh
        finally:
            if not self._connection.is_closed:
                await subscription.unsubscribe()


def _decoded(data: bytes) -> Event | None:
    try:
        return Event.model_validate_json(data)
    except ValidationError:
        _log.warning("dropped an event that is none")
        return None
