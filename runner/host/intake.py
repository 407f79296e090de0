"""The provider's intake: telling callers of tasks that are durable and have to wait.

What waits is told of in batches: one look at the queues serves all that came meanwhile, so that a flood of tasks costs
the ensemble little of the time that it needs to work them off.
"""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import UTC, datetime

from runner.bus.away import AWAY
from runner.bus.backlog import Spot
from runner.bus.notices import Notice
from runner.bus.puller import TaskMessage
from runner.event import Event
from runner.host.acceptance import Acceptance
from runner.host.desk import StoreAway
from runner.host.pressure import Pressure
from runner.host.workplace import Station

DELIVERY_SECONDS = 0.05
"""How long a task may be on its way to a free slot before it counts as waiting."""

DELIVERED_KEPT = 1024
BATCH = 128


class Intake:
    """Claims for one ensemble on one runner; whoever has a task in hand tells of that one himself."""

    def __init__(self, station: Station, acceptance: Acceptance, pressure: Pressure) -> None:
        self._station = station
        self._acceptance = acceptance
        self._pressure = pressure
        self._delivered: deque[int] = deque(maxlen=DELIVERED_KEPT)
        self._unclaimed: deque[tuple[Notice, bool]] = deque()
        self._more = asyncio.Event()

    def heard(self, notice: Notice) -> None:
        """A task is durable. It is about to be delivered, or, where that does not happen at once, claimed to wait."""
        if self._station.slots.free > 0:
            asyncio.get_running_loop().call_later(DELIVERY_SECONDS, self._unless_delivered, notice)
        else:
            self._pressure.nudge()
            self._unless_delivered(notice)

    def delivered(self, message: TaskMessage) -> None:
        """A task is in hand here."""
        self._delivered.append(message.sequence)

    def refused(self, message: TaskMessage) -> None:
        """A task came for which no slot is free: it waits, though whoever heard its notice takes it for delivered."""
        if message.request_id is not None:
            waiting = Notice(message.call, message.request_id, message.sequence, message.headers)
            self._claim(waiting, given_back=True)

    async def run(self) -> None:
        """Claim until cancelled."""
        while True:
            await self._more.wait()
            batch = [self._unclaimed.popleft() for _ in range(min(BATCH, len(self._unclaimed)))]
            if not self._unclaimed:
                self._more.clear()
            await self._tell(batch)

    def _unless_delivered(self, notice: Notice) -> None:
        if notice.sequence not in self._delivered:
            self._claim(notice, given_back=False)

    def _claim(self, notice: Notice, *, given_back: bool) -> None:
        self._unclaimed.append((notice, given_back))
        self._more.set()

    async def _tell(self, batch: list[tuple[Notice, bool]]) -> None:
        desk, name = self._station.desk, self._station.name
        spots = [Spot(notice.call.priority, notice.sequence, given_back) for notice, given_back in batch]
        try:
            positions = await desk.queue_positions(name, spots)
            for (notice, _), position in zip(batch, positions, strict=True):
                if position is not None and self._acceptance.claim(notice.caller, notice.request_id):
                    await self._acceptance.say(notice.caller, notice.request_id, position)
                    self._write(notice, position)
        except (StoreAway, *AWAY):
            return  # who is not told waits all the same

    def _write(self, notice: Notice, position: int) -> None:
        call, name = notice.call, self._station.name
        self._station.events.write(
            Event(
                kind="accepted",
                at=datetime.now(UTC),
                ensemble=name,
                request_id=notice.request_id,
                caller=notice.caller,
                capability=call.capability,
                trace_id=notice.trace.trace_id if notice.trace else None,
                name=f"{name}/{call.capability}",
                message=f"position {position}",
            ),
            once=str(notice.sequence),
        )
