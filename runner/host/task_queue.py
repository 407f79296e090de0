"""The task queue of one ensemble: claiming what becomes durable, taking what a slot is free for."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Mapping
from datetime import UTC, datetime

from runner.bus.notices import Notice, Notices
from runner.bus.puller import TaskMessage, TaskPuller
from runner.bus.streams import ACK_WAIT
from runner.event import Event
from runner.host.acceptance import Acceptance
from runner.host.crew import Crew
from runner.host.desk import StoreAway
from runner.host.pressure import Pressure
from runner.host.recording import Recording
from runner.host.task_work import TaskWork
from runner.host.workplace import Workplace
from runner.work import Priority

DELIVERY_SECONDS = 0.05
"""How long a task may be on its way to a free slot before it counts as waiting."""

DELIVERED_KEPT = 1024


class TaskQueue:
    """Takes tasks from `open` to `stop_intake`, keeps what is in hand alive until `close`. `crew` owns the work."""

    def __init__(self, workplace: Workplace, crew: Crew) -> None:
        self._workplace = workplace
        self._crew = crew
        self.pressure = Pressure(workplace)
        self._acceptance = Acceptance(workplace, self.pressure)
        self._tasks = TaskWork(workplace, self._acceptance, crew, Recording(workplace))
        self._notices = Notices(workplace.connection, workplace.subjects, workplace.name)
        self._puller = TaskPuller(
            workplace.connection,
            workplace.subjects,
            workplace.name,
            free=lambda: workplace.slots.free,
            accept=self._accept,
            refused=self._refused,
            ageing=workplace.network.defaults.ageing.total_seconds(),
            heads=self._head,
        )
        self._delivered: deque[int] = deque(maxlen=DELIVERED_KEPT)
        self._pulling: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self._notices.open(self._heard)
        self._pulling = asyncio.ensure_future(self._puller.run())
        self._beating = asyncio.ensure_future(self._beat())
        self._watching = asyncio.ensure_future(self.pressure.watch())

    async def stop_intake(self) -> None:
        """Take no new task; what is in hand goes on, and keeps being said to be alive."""
        await self._puller.close()
        await self._notices.close()
        if self._pulling is not None:
            await self._pulling

    async def close(self) -> None:
        """Nothing is in hand any more."""
        for task in (self._beating, self._watching):
            if task is not None:
                task.cancel()
                await asyncio.wait((task,))

    def wake(self) -> None:
        """A slot became free."""
        self._puller.wake()

    def reconnected(self) -> None:
        self._tasks.since = datetime.now(UTC)
        self._puller.forget()

    def in_hand(self) -> Mapping[Priority, int]:
        """How many tasks of each priority are worked on here."""
        return Counter(hand.priority for hand in self._tasks.in_hand.values())

    def holds(self, caller: str, request_id: str) -> bool:
        return (caller, request_id) in self._tasks.in_hand

    def cancel(self, caller: str, request_id: str) -> bool:
        """Cancel a task in hand. False where it is not here."""
        hand = self._tasks.in_hand.get((caller, request_id))
        if hand is not None:
            hand.cancel()
        return hand is not None

    def _accept(self, message: TaskMessage) -> None:
        self._workplace.slots.take()
        if self._workplace.slots.free <= 0:
            self.pressure.nudge()
        self._delivered.append(message.sequence)
        self._crew.start(self._tasks.work(message), f"task {message.call.capability} for {message.call.caller}")

    def _refused(self, message: TaskMessage) -> None:
        """A task came for which no slot is free: it goes back, and is claimed to wait.

        Whoever heard its notice takes it for delivered.
        """
        if message.request_id is not None:
            notice = Notice(message.call, message.request_id, message.sequence, message.trace)
            self._crew.start(self._claim(notice, given_back=True), f"claim {notice.request_id}")

    async def _head(self, priority: Priority) -> float | None:
        try:
            return await self._workplace.desk.queue_head(self._workplace.name, priority)
        except StoreAway:
            return None

    def _heard(self, notice: Notice) -> None:
        """A task is durable. It is about to be delivered, or, where that does not happen at once, claimed to wait."""
        patience = DELIVERY_SECONDS if self._workplace.slots.free > 0 else 0.0
        if not patience:
            self.pressure.nudge()
        asyncio.get_running_loop().call_later(patience, self._claim_if_waiting, notice)

    def _claim_if_waiting(self, notice: Notice) -> None:
        if notice.sequence not in self._delivered:
            self._crew.start(self._claim(notice), f"claim {notice.request_id}")

    async def _claim(self, notice: Notice, *, given_back: bool = False) -> None:
        """Tell of a task that waits; whoever has it in hand already tells of it himself."""
        workplace, call = self._workplace, notice.call
        try:
            position = await workplace.desk.queue_position(
                workplace.name, call.priority, notice.sequence, given_back=given_back
            )
        except StoreAway:
            return
        if position is None or not self._acceptance.claim(call.caller, notice.request_id):
            return
        await self._acceptance.say(call.caller, notice.request_id, position)
        workplace.events.write(
            Event(
                kind="accepted",
                at=datetime.now(UTC),
                ensemble=workplace.name,
                request_id=notice.request_id,
                caller=call.caller,
                capability=call.capability,
                trace_id=notice.trace.trace_id if notice.trace else None,
                name=f"{workplace.name}/{call.capability}",
                message=f"position {position}",
            )
        )

    async def _beat(self) -> None:
        """Say of everything in hand that it is alive, for as long as it is."""
        while True:
            await asyncio.sleep(ACK_WAIT.total_seconds() / 3)
            for hand in list(self._tasks.in_hand.values()):
                await hand.alive()
