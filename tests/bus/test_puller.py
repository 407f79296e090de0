"""Pulling tasks in order of urgency, never more than there are slots for, whatever becomes of the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from nats.errors import OutboundBufferLimitError
from nats.js.errors import NotFoundError

from runner.bus.connection import Connection, connect
from runner.bus.keys import Key, key_in
from runner.bus.permissions import EVERYTHING
from runner.bus.puller import TaskMessage, TaskPuller
from runner.bus.server import NatsServer
from runner.bus.server_config import ServerFiles
from runner.bus.streams import context, ensure_queue
from runner.subjects import Subjects, priority_consumer
from runner.work import Priority
from tests.support.networks import eventually

SUBJECTS = Subjects("inn")
STREAM = SUBJECTS.work_stream("kitchen")
CRITICAL, HIGH, NORMAL, LOW = Priority
AGEING_SECONDS = 300.0


@dataclass
class Worker:
    """A kitchen with slots and nothing else: what it is handed it keeps until it is told to finish it."""

    connection: Connection
    slots: int
    heads: dict[Priority, float] | None = None
    asked: list[Priority] = field(default_factory=list)
    deliveries: set[int] = field(default_factory=set)
    in_hand: list[TaskMessage] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    most: int = 0
    is_instant: bool = False
    """It is done with a task as it takes it."""
    puller: TaskPuller = field(init=False)

    def __post_init__(self) -> None:
        self.puller = TaskPuller(
            self.connection,
            SUBJECTS,
            "kitchen",
            free=lambda: self.slots - len(self.in_hand),
            accept=self.accept,
            ageing=None if self.heads is None else AGEING_SECONDS,
            heads=self.head,
        )

    async def head(self, priority: Priority) -> float | None:
        """Since when the head of a queue has waited, as this test has it."""
        assert self.heads is not None
        self.asked.append(priority)
        return self.heads.get(priority)

    def accept(self, message: TaskMessage) -> None:
        self.deliveries.add(message.deliveries)
        if self.is_instant:
            self.done.append(message.data.decode())
            return
        self.in_hand.append(message)
        self.most = max(self.most, len(self.in_hand))

    def has(self, count: int) -> bool:
        return len(self.in_hand) == count

    async def finish(self) -> str:
        """Finish what has been in hand longest."""
        await eventually(lambda: bool(self.in_hand), "a task in hand")
        message = self.in_hand[0]
        await message.ack()
        self.done.append(message.data.decode())
        self.in_hand.remove(message)
        self.puller.wake()
        return self.done[-1]


@dataclass
class Kitchen:
    """A server with the kitchen's queue on it, as the runner's own user sees it."""

    server: NatsServer
    key: Key
    system: Key
    connection: Connection = field(init=False)

    async def start(self) -> None:
        await self.server.start({self.key.public: EVERYTHING}, self.system.public)

    async def send(self, *tasks: tuple[Priority, str]) -> None:
        for priority, text in tasks:
            subject = SUBJECTS.work("desk", "kitchen", priority, "cook")
            await context(self.connection).publish(subject, text.encode())

    async def emptied(self) -> bool:
        """Whether the queue keeps nothing any more: acknowledgements arrive unanswered."""
        return (await context(self.connection).stream_info(STREAM)).state.messages == 0

    async def waits(self, *priorities: Priority) -> bool:
        """Whether a task waits at each of these: a consumer hears of one a moment after the stream acknowledged it."""
        infos = [await context(self.connection).consumer_info(STREAM, priority_consumer(p)) for p in priorities]
        return all(info.num_pending for info in infos)

    async def parked(self) -> bool:
        """Whether somebody waits at every priority."""
        waiting = [await context(self.connection).consumer_info(STREAM, priority_consumer(p)) for p in Priority]
        return all(info.num_waiting for info in waiting)

    @asynccontextmanager
    async def worker(self, slots: int, heads: dict[Priority, float] | None = None) -> AsyncIterator[Worker]:
        """A worker that pulls, over a connection of its own, until the block ends."""
        workers: list[Worker] = []

        async def on_reconnect() -> None:
            workers[0].puller.forget()

        connection = await connect(
            [self.server.url], caller="kitchen", credentials=self.key.seed, on_reconnect=on_reconnect
        )
        workers.append(worker := Worker(connection, slots, heads))
        running = asyncio.ensure_future(worker.puller.run())
        try:
            yield worker
        finally:
            worker.puller.close()
            await running
            await connection.close()


@pytest.fixture
async def kitchen(tmp_path: Path) -> AsyncIterator[Kitchen]:
    opened = Kitchen(NatsServer(ServerFiles(tmp_path)), key_in(tmp_path / "runner.nk"), key_in(tmp_path / "system.nk"))
    try:
        await opened.start()
        opened.connection = await connect([opened.server.url], caller="_runner", credentials=opened.key.seed)
        await ensure_queue(opened.connection, SUBJECTS, "kitchen", 1000)
        yield opened
        await opened.connection.close()
    finally:
        await opened.server.stop()


def numbered(priority: Priority, count: int) -> list[tuple[Priority, str]]:
    return [(priority, f"{priority.lower()} {number}") for number in range(count)]


def texts(tasks: Iterable[tuple[Priority, str]]) -> list[str]:
    return [text for _, text in tasks]


async def test_a_backlog_is_served_in_order_of_urgency_and_then_of_arrival(kitchen: Kitchen) -> None:
    backlog = {priority: numbered(priority, 5) for priority in Priority}
    await kitchen.send(*backlog[LOW], *backlog[CRITICAL], *backlog[NORMAL], *backlog[HIGH])
    await eventually(lambda: kitchen.waits(*Priority), "all in the queue")
    async with kitchen.worker(slots=1) as worker:
        for _ in range(20):
            await worker.finish()
        assert worker.done == texts(backlog[CRITICAL] + backlog[HIGH] + backlog[NORMAL] + backlog[LOW])
        assert worker.most == 1


async def test_an_urgent_task_overtakes_a_backlog_that_is_being_served(kitchen: Kitchen) -> None:
    await kitchen.send(*numbered(LOW, 10))
    async with kitchen.worker(slots=1) as worker:
        assert [await worker.finish(), await worker.finish()] == ["low 0", "low 1"]
        await eventually(lambda: worker.has(1), "the next task in hand")
        await kitchen.send((NORMAL, "soup"), (CRITICAL, "allergy"))
        await eventually(lambda: kitchen.waits(NORMAL, CRITICAL), "both in the queue")
        assert [await worker.finish() for _ in range(4)] == ["low 2", "allergy", "soup", "low 3"]


@pytest.mark.parametrize("slots", [1, 3, 16])
async def test_never_more_is_in_hand_than_there_are_slots_and_all_of_them_are_used(
    kitchen: Kitchen, slots: int
) -> None:
    """Also when tasks arrive at all priorities at once, each of which a parked pull is waiting for."""
    tasks = [(priority, f"{priority} {number}") for number in range(20) for priority in Priority]
    async with kitchen.worker(slots) as worker:
        await eventually(kitchen.parked, "parked pulls")
        await kitchen.send(*tasks)
        await eventually(lambda: worker.has(slots), "every slot taken")
        for _ in tasks:
            await worker.finish()
        assert sorted(worker.done) == sorted(texts(tasks))
        assert worker.most == slots
        await eventually(kitchen.emptied, "an empty queue")


async def test_a_task_that_no_slot_is_free_for_stays_for_another_worker(kitchen: Kitchen) -> None:
    async with kitchen.worker(slots=1) as busy:
        await eventually(kitchen.parked, "parked pulls")
        await kitchen.send(*numbered(NORMAL, 3))
        await eventually(lambda: busy.has(1), "a task in hand")
        async with kitchen.worker(slots=2) as idle:
            await eventually(lambda: idle.has(2), "the others in the other's hands")
            done = [await busy.finish(), await idle.finish(), await idle.finish()]
            assert sorted(done) == ["normal 0", "normal 1", "normal 2"]


async def test_what_arrives_when_it_closes_goes_back_to_the_queue(kitchen: Kitchen) -> None:
    async with kitchen.worker(slots=4) as first:
        await eventually(kitchen.parked, "parked pulls")
        first.puller.close()
        await kitchen.send(*numbered(NORMAL, 8))
        async with kitchen.worker(slots=8) as second:
            for _ in range(8):
                await second.finish()
            assert sorted(second.done) == texts(numbered(NORMAL, 8))
            assert first.in_hand == []
            await eventually(kitchen.emptied, "an empty queue")


async def test_what_is_given_back_is_delivered_again_and_counted(kitchen: Kitchen) -> None:
    await kitchen.send((NORMAL, "soup"))
    async with kitchen.worker(slots=1) as worker:
        for deliveries in (1, 2, 3):
            await eventually(lambda: worker.has(1), "the task in hand")
            message = worker.in_hand.pop()
            assert (message.data, message.deliveries) == (b"soup", deliveries)
            await message.give_back()
            worker.puller.wake()
        await worker.finish()
        assert worker.done == ["soup"]


async def test_what_is_no_task_is_dropped_and_the_rest_goes_on(kitchen: Kitchen) -> None:
    await context(kitchen.connection).publish("inn.work.desk.kitchen.normal.cook.more", b"?")
    await context(kitchen.connection).publish("inn.work.desk.kitchen.normal", b"?")
    await kitchen.send((NORMAL, "soup"))
    async with kitchen.worker(slots=1) as worker:
        assert await worker.finish() == "soup"


async def test_it_goes_on_when_a_consumer_is_deleted_and_made_again(kitchen: Kitchen) -> None:
    async with kitchen.worker(slots=2) as worker:
        await eventually(kitchen.parked, "parked pulls")
        for priority in Priority:
            await context(kitchen.connection).delete_consumer(STREAM, priority_consumer(priority))
        await kitchen.send(*numbered(NORMAL, 3))
        with pytest.raises(NotFoundError):
            await kitchen.parked()
        await ensure_queue(kitchen.connection, SUBJECTS, "kitchen", 1000)
        assert sorted([await worker.finish() for _ in range(3)]) == texts(numbered(NORMAL, 3))


async def test_it_goes_on_when_its_connection_took_nothing_more(
    kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the server is away, what is to be sent waits in a buffer, and that may be full."""
    async with kitchen.worker(slots=1) as worker:
        await kitchen.send(*numbered(NORMAL, 2))
        await eventually(lambda: worker.has(1), "a task in hand")
        refused: list[str] = []

        async def full(subject: str, *_: object, **__: object) -> None:
            refused.append(subject)
            raise OutboundBufferLimitError

        with monkeypatch.context() as patch:
            patch.setattr(worker.connection, "publish", full)
            held = worker.in_hand.pop()
            worker.puller.wake()
            await eventually(lambda: any("MSG.NEXT" in subject for subject in refused), "a refusal")
        await held.ack()
        assert await worker.finish() == "normal 1"


async def test_it_goes_on_when_the_server_comes_back(kitchen: Kitchen) -> None:
    """What was in hand is delivered again: the queue's memory of who has what does not outlive the server."""
    async with kitchen.worker(slots=2) as worker:
        await kitchen.send(*numbered(NORMAL, 5))
        await eventually(lambda: worker.has(2), "two tasks in hand")
        stopped = time.monotonic()
        await kitchen.server.stop()
        worker.in_hand.clear()
        await kitchen.start()
        both = (worker.connection, kitchen.connection)  # which may not have seen yet that the server went
        await eventually(lambda: all(one.came_back_since(stopped) for one in both), "reconnections")
        await ensure_queue(kitchen.connection, SUBJECTS, "kitchen", 1000)
        for _ in range(5):
            await worker.finish()
        assert sorted(worker.done) == texts(numbered(NORMAL, 5))
        assert worker.most <= 2


async def test_what_has_waited_long_goes_before_the_more_urgent_that_came_later(kitchen: Kitchen) -> None:
    """A LOW task is not starved by HIGH ones: after two `ageing` it is as urgent as they are, and older."""
    await kitchen.send(*numbered(HIGH, 2), *numbered(LOW, 1))
    await eventually(lambda: kitchen.waits(HIGH, LOW), "all in the queue")
    old = time.time() - 2 * AGEING_SECONDS
    async with kitchen.worker(slots=1, heads={LOW: old, HIGH: time.time()}) as worker:
        assert [await worker.finish() for _ in range(3)] == ["high 0", "low 0", "high 1"]


async def test_what_has_waited_long_is_next_also_where_the_first_task_is_done_before_the_first_look_is_over(
    kitchen: Kitchen,
) -> None:
    await kitchen.send(*numbered(HIGH, 2), *numbered(LOW, 1))
    await eventually(lambda: kitchen.waits(HIGH, LOW), "all in the queue")
    old = time.time() - 2 * AGEING_SECONDS
    async with kitchen.worker(slots=1, heads={LOW: old, HIGH: time.time()}) as worker:
        worker.is_instant = True
        await eventually(lambda: len(worker.done) == 3, "all three")
        assert worker.done == ["high 0", "low 0", "high 1"]


async def test_however_long_others_have_waited_what_is_critical_is_next(kitchen: Kitchen) -> None:
    await kitchen.send(*numbered(LOW, 1), *numbered(HIGH, 2))
    await eventually(lambda: kitchen.waits(HIGH, LOW), "all in the queue")
    old = time.time() - 20 * AGEING_SECONDS
    async with kitchen.worker(slots=1, heads={LOW: old, HIGH: old + 1, CRITICAL: time.time()}) as worker:
        await eventually(lambda: worker.has(1), "a task in hand")
        worker.heads = {LOW: old, HIGH: old + 1, CRITICAL: time.time()}
        await kitchen.send((CRITICAL, "allergy"))
        await eventually(lambda: kitchen.waits(CRITICAL), "the urgent one in the queue")
        assert [await worker.finish() for _ in range(4)] == ["high 0", "allergy", "low 0", "high 1"]
        assert CRITICAL not in worker.asked


async def test_while_everything_is_young_nobody_is_asked_how_old_it_is(kitchen: Kitchen) -> None:
    async with kitchen.worker(slots=2, heads={}) as worker:
        await eventually(kitchen.parked, "parked pulls")
        for _ in range(3):
            await kitchen.send(*(task for priority in Priority for task in numbered(priority, 5)))
            for _ in range(20):
                await worker.finish()
        assert worker.asked == []


async def test_a_worker_that_stays_busy_leaves_what_comes_to_the_queue(kitchen: Kitchen) -> None:
    """What is parked with it is withdrawn, so that nothing is delivered to it in vain: a task that goes back may be
    overtaken by the next."""
    async with kitchen.worker(slots=1) as busy:
        await eventually(kitchen.parked, "parked pulls")
        await kitchen.send((NORMAL, "first"))
        await eventually(lambda: busy.has(1), "a task in hand")
        await eventually(lambda: not busy.puller.listening, "the withdrawal")
        await kitchen.send(*numbered(NORMAL, 3))
        await eventually(lambda: kitchen.waits(NORMAL), "the rest in the queue")
        assert [await busy.finish() for _ in range(4)] == ["first", "normal 0", "normal 1", "normal 2"]
        assert busy.deliveries == {1}
