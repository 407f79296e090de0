"""Telling a caller that its task is claimed: its position in the queue and when it is likely to be done."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from runner.host.pressure import Pressure
from runner.host.workplace import Station
from runner.work import TaskAccepted

SOON_SECONDS = 0.002
CLAIMS_KEPT = 16_384
"""How many claims are remembered: one that another replica worked off is never said to be over. One that is forgotten
too soon is told of a second time, and a caller hears the first."""

_WEIGHT = 0.2
"""How much the last service time counts in the running mean."""


@dataclass(slots=True)
class _Mean:
    """A running mean."""

    seconds: float = 0.0
    _count: int = 0

    def add(self, seconds: float) -> None:
        self._count += 1
        self.seconds += (seconds - self.seconds) * max(_WEIGHT, 1 / self._count)


class Acceptance:
    """Speaks for one ensemble. The estimate is the time until a slot is free, and then the time that a task takes.

    The first is the tasks before it × the mean time that a task holds a slot ÷ the slots of all replicas.
    """

    def __init__(self, station: Station, pressure: Pressure) -> None:
        self._station = station
        self._pressure = pressure
        self._held = _Mean()
        self._took = _Mean()
        self._claimed: OrderedDict[tuple[str, str], None] = OrderedDict()

    def served(self, took: float, held: float) -> None:
        """A task took so many seconds from its start to its end, and held a slot for so many of them."""
        self._took.add(took)
        self._held.add(held)

    def claim(self, caller: str, request_id: str) -> bool:
        """Whether this is the first claim of a task; it stays claimed until `forget`, or until many others are."""
        key = (caller, request_id)
        if key in self._claimed:
            return False
        self._claimed[key] = None
        if len(self._claimed) > CLAIMS_KEPT:
            self._claimed.popitem(last=False)
        return True

    def forget(self, caller: str, request_id: str) -> None:
        self._claimed.pop((caller, request_id), None)

    @asynccontextmanager
    async def said_soon(self, caller: str, request_id: str) -> AsyncIterator[None]:
        """Tell of a task that starts at once: shortly after, or, where the block ends before that, as it ends.

        A task that is done in no time is then told of in one packet with its answer, and the start waits for none.
        """
        loop = asyncio.get_running_loop()
        telling: list[asyncio.Task[None]] = []
        soon = loop.call_later(SOON_SECONDS, lambda: telling.append(loop.create_task(self.say(caller, request_id))))
        try:
            yield
        finally:
            soon.cancel()
            await (telling[0] if telling else self.say(caller, request_id))

    async def say(self, caller: str, request_id: str, position: int | None = None) -> None:
        """`position` is how many go before it; None: it has its slot."""
        station = self._station
        rounds = 0.0 if position is None else (position + 1) / station.slot_count
        accepted = TaskAccepted(
            request_id=request_id,
            queue_position=position or 0,
            estimated_completion=timedelta(seconds=round(rounds * self._held.seconds + self._took.seconds, 3)),
            provider=station.name,
            constrained=True if position is not None and position > self._pressure.limit else None,
        )
        subject = station.subjects.reply(caller, station.name, request_id)
        await station.connection.publish(subject, accepted.encode())
