"""Whether more tasks wait for an ensemble than its slots will take on soon: its back-pressure.

Only the server knows how many wait for all replicas together. It is asked while every slot here is taken, at most once
a second, and until the pressure has fallen; an ensemble with a free slot asks nothing.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from runner.event import Event
from runner.host.desk import StoreAway
from runner.host.workplace import Station
from runner.work import Code

LOOK_SECONDS = 1.0


class Pressure:
    """Of one ensemble, as seen from one runner. `constrained` is as it was at the last look."""

    def __init__(self, station: Station, backpressure: float) -> None:
        self._station = station
        self.backpressure = backpressure
        self._full = asyncio.Event()
        self.constrained = False
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many tasks waited at the last look; none while a slot is free."""
        return self._waiting if self._station.slots.free <= 0 else 0

    @property
    def limit(self) -> float:
        """How many may wait: slots, of all live replicas, × `backpressure`."""
        return self._station.slot_count * self.backpressure

    def nudge(self) -> None:
        """Every slot is taken: it is worth a look."""
        self._full.set()

    async def watch(self) -> None:
        """Look whenever there is reason to, until cancelled."""
        while True:
            await self._full.wait()
            self._full.clear()
            await self._look()
            await asyncio.sleep(LOOK_SECONDS)
            if self.constrained or self._station.slots.free <= 0:
                self._full.set()

    async def _look(self) -> None:
        station = self._station
        try:
            waiting = await station.desk.waiting(station.name)
        except StoreAway:
            return  # nobody knows: it stays as it was
        self._waiting = waiting
        constrained = waiting > self.limit
        if constrained is not self.constrained:
            self.constrained = constrained
            self._tell(waiting)

    def _tell(self, waiting: int) -> None:
        station = self._station
        more = "more than" if self.constrained else "no more than"
        station.events.write(
            Event(
                kind=Code.CAPACITY_CONSTRAINED,
                at=datetime.now(UTC),
                ensemble=station.name,
                status="BEGAN" if self.constrained else "ENDED",
                message=f"{waiting} tasks wait, {more} {self.limit:g}",
            )
        )
