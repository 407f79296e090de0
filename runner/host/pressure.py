"""Whether more tasks wait for an ensemble than its slots will take on soon: its back-pressure.

Only the server knows how many wait for all replicas together. It is asked while every slot here is taken, at most once
a second, and until the pressure has fallen; an ensemble with a free slot asks nothing.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from runner.event import Event
from runner.host.desk import StoreAway
from runner.host.workplace import Workplace
from runner.work import Code

LOOK_SECONDS = 1.0


class Pressure:
    """Of one ensemble, as seen from one runner. `constrained` is as it was at the last look."""

    def __init__(self, workplace: Workplace) -> None:
        self._workplace = workplace
        self._full = asyncio.Event()
        self.constrained = False

    @property
    def limit(self) -> float:
        """How many may wait: slots, of all live replicas, × `backpressure`."""
        return self._workplace.slot_count * self._workplace.ensemble.capacity.backpressure

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
            if self.constrained or self._workplace.slots.free <= 0:
                self._full.set()

    async def _look(self) -> None:
        workplace = self._workplace
        try:
            waiting = await workplace.desk.waiting(workplace.name)
        except StoreAway:
            return  # nobody knows: it stays as it was
        constrained = waiting > self.limit
        if constrained is not self.constrained:
            self.constrained = constrained
            self._tell(waiting)

    def _tell(self, waiting: int) -> None:
        workplace = self._workplace
        more = "more than" if self.constrained else "no more than"
        workplace.events.write(
            Event(
                kind=Code.CAPACITY_CONSTRAINED,
                at=datetime.now(UTC),
                ensemble=workplace.name,
                status="BEGAN" if self.constrained else "ENDED",
                message=f"{waiting} tasks wait, {more} {self.limit:g}",
            )
        )
