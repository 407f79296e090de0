"""The task queue of one ensemble: claiming what becomes durable, taking what a slot is free for."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from runner.bus.notices import Notices
from runner.bus.puller import TaskMessage, TaskPuller
from runner.bus.streams import ACK_WAIT
from runner.endings import ended
from runner.host.acceptance import Acceptance
from runner.host.crew import Crew
from runner.host.desk import StoreAway
from runner.host.handing_over import HandingOver
from runner.host.hosted import Hand
from runner.host.intake import Intake
from runner.host.pressure import Pressure
from runner.host.recording import Recording
from runner.host.task_work import TaskWork
from runner.host.workplace import Station, Workplace
from runner.work import Priority


class TaskQueue:
    """Takes tasks from `open` to `stop_intake`, keeps what is in hand alive until `close`. `crew` owns the work.

    Where it begins `held`, nothing begins until the first `switch`: its version is not in force yet.
    """

    def __init__(self, station: Station, workplace: Workplace, crew: Crew, *, held: bool = False) -> None:
        self._station = station
        self._crew = crew
        self.pressure = Pressure(station, workplace.ensemble.capacity.backpressure)
        self._acceptance = Acceptance(station, self.pressure)
        self._recording = Recording(station.name, station.subjects, station.connection, station.events, station.desk)
        self._tasks = TaskWork(workplace, self._acceptance, crew, self._recording, HandingOver(workplace))
        self._leaving: dict[str, TaskWork] = {}
        self._intake = Intake(station, self._acceptance, self.pressure)
        self._notices = Notices(station.connection, station.subjects, station.name)
        self._puller = TaskPuller(
            station.connection,
            station.subjects,
            station.name,
            free=self._free,
            accept=self._accept,
            refused=self._intake.refused,
            ageing=workplace.network.defaults.ageing.total_seconds(),
            heads=self._head,
        )
        self._held = held
        self._pulling: asyncio.Task[None] | None = None
        self._minding: tuple[asyncio.Task[None], ...] = ()

    async def open(self) -> None:
        await self._notices.open(self._intake.heard)
        self._pulling = asyncio.ensure_future(self._puller.run())
        minding = (self._beat(), self.pressure.watch(), self._intake.run())
        self._minding = tuple(asyncio.ensure_future(one) for one in minding)

    def switch(self, workplace: Workplace) -> None:
        """From the next task on, another version works. One that it knows no more is still worked off by the last."""
        if self._held:
            self._held = False
            self._puller.wake()
        before, here = self._tasks, workplace.ensemble.tasks
        gone = dict.fromkeys(before.workplace.ensemble.tasks.keys() - here.keys(), before)
        self._leaving = {name: work for name, work in {**self._leaving, **gone}.items() if name not in here}
        self._tasks = replace(before, workplace=workplace, handing_over=HandingOver(workplace))
        self.pressure.backpressure = workplace.ensemble.capacity.backpressure
        self._puller.ageing = workplace.network.defaults.ageing.total_seconds()

    @property
    def leaving(self) -> tuple[str, ...]:
        """Tasks that the version does not have, and an earlier one still works on."""
        return tuple(sorted(self._leaving))

    def forget_leaving(self) -> None:
        """What the version does not know is refused from now on."""
        self._leaving = {}

    def hold(self) -> None:
        """Nothing begins until the next `switch`; what is in hand goes on, and what waits stays where it is."""
        self._held = True
        self._puller.withdraw()

    def pause(self) -> None:
        """As `hold`, for a moment: what arrives goes back, and comes again."""
        self._held = True

    def ail(self) -> None:
        """The station's ailment is another: nothing begins while there is one."""
        if self._station.ailment.problem:
            self._puller.withdraw()
        else:
            self._puller.wake()

    def shut(self) -> None:
        """Nothing begins from now on; what arrives goes back."""
        self._puller.close()

    async def stop_intake(self) -> None:
        """Take no new task; what is in hand goes on, and keeps being said to be alive."""
        self.shut()
        await self._notices.close()
        if self._pulling is not None:
            await self._pulling

    async def close(self) -> None:
        """Nothing is in hand any more."""
        await ended(*self._minding)

    def wake(self) -> None:
        """A slot became free."""
        self._puller.wake()

    def reconnected(self) -> None:
        self._tasks.since = datetime.now(UTC)
        self._puller.forget()

    def in_hand(self) -> Mapping[Priority, int]:
        """How many tasks of each priority are worked on here."""
        in_hand = self._tasks.in_hand  # asked of every ensemble for every beat, and mostly of those that have none
        return Counter(hand.priority for hand in in_hand.values()) if in_hand else {}

    def messages(self, caller: str, request_id: str) -> tuple[int, ...]:
        hand = self._tasks.in_hand.get((caller, request_id))
        return tuple(hand.messages) if hand else ()

    def holds(self, caller: str, request_id: str) -> bool:
        hand = self._tasks.in_hand.get((caller, request_id))
        return hand is not None and not hand.passed

    def hands(self) -> tuple[Hand, ...]:
        """Every task in hand."""
        return tuple(
            Hand(caller, request_id, tuple(hand.messages), hand.passed)
            for (caller, request_id), hand in self._tasks.in_hand.items()
        )

    def cancel(self, caller: str, request_id: str) -> bool:
        """Cancel a task in hand. False where it is not here."""
        hand = self._tasks.in_hand.get((caller, request_id))
        return hand is not None and hand.cancel()

    def _free(self) -> int:
        return 0 if self._held or self._station.ailment.problem else self._station.slots.free

    def _accept(self, message: TaskMessage) -> None:
        self._station.slots.take()
        if self._station.slots.free <= 0:
            self.pressure.nudge()
        self._intake.delivered(message)
        call = message.call
        work = self._leaving.get(call.capability, self._tasks) if self._leaving else self._tasks
        working = self._crew.start(work.work(message), f"task {call.capability} for {call.caller}")
        self._station.desk.task_in_hand(message.ticket, working)

    async def _head(self, priority: Priority) -> float | None:
        try:
            return await self._station.desk.queue_head(self._station.name, priority)
        except StoreAway:
            return None

    async def _beat(self) -> None:
        """Say of everything in hand that it is alive, for as long as it is."""
        while True:
            await asyncio.sleep(ACK_WAIT.total_seconds() / 3)
            for hand in list(self._tasks.in_hand.values()):
                await hand.alive()
