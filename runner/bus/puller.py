"""Taking tasks from the four priority queues of one ensemble, never more than there are free slots.

A free slot asks the queues in order of urgency, without waiting; when all are empty, a few credits are parked on each,
so that the next task arrives by itself. A parked queue is thereby known to be empty and is not asked again. What
arrives when every slot is taken goes straight back; when they stay taken, what is parked is withdrawn, since a task
that goes back may be overtaken by the next. (The design was measured against prefetching into a local heap: p99 wait of
the most urgent 5.7 ms against 600 ms, and no hoarding between replicas.)
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from runner.bus.away import AWAY
from runner.bus.connection import Connection, drain
from runner.bus.notices import identified, publication
from runner.bus.pulls import PriorityQueue, Pull
from runner.bus.urgency import doubtful, order, promoted
from runner.subjects import Subjects, TaskCall, priority_consumer
from runner.work import Priority

PARKED_CREDITS = 8
PARKED_SECONDS = 30.0
HEARTBEAT_SECONDS = 5.0
PROBE_SECONDS = 5.0
BACKOFF_SECONDS = 0.25
BLINK_SECONDS = 0.01
"""Before the first attempt after a refusal: a server that reads its configuration again is there at once."""

FULL_SECONDS = 0.002
"""How long every slot may be taken before what is parked is withdrawn: short tasks are not worth the trouble."""

SURE_SECONDS = 1.0
"""For how long a queue that was empty is not thought to keep an aged one from its turn."""

_log = logging.getLogger("runner.bus")


@dataclass(frozen=True, slots=True, eq=False)
class TaskMessage:
    """One delivered task; `request_id` is what its message id says, `stamp` when it became durable.

    Whoever holds it says `alive` until it is acknowledged, or it is given to another.
    """

    call: TaskCall
    data: bytes
    deliveries: int
    sequence: int
    request_id: str | None
    stamp: float
    pending: int
    headers: Mapping[str, str]
    _reply: str
    _connection: Connection

    @property
    def ticket(self) -> str:
        """Where it is acknowledged, or given back."""
        return self._reply

    @property
    def publication(self) -> int:
        """Which of the intended publications of its request this is."""
        return publication(self.headers)

    async def ack(self) -> None:
        """The work is done and recorded: the queue forgets it."""
        await self._connection.publish(self._reply, b"+ACK")

    async def give_back(self, delay: float = 0.0) -> None:
        """Let another, or us again, have it; after `delay` seconds."""
        word = f'-NAK {{"delay": {int(delay * 1e9)}}}' if delay else "-NAK"
        await self._connection.publish(self._reply, word.encode())

    async def alive(self) -> None:
        await self._connection.publish(self._reply, b"+WPI")


Heads = Callable[[Priority], Awaitable[float | None]]
"""Since when what stands at the head of a queue has waited, or None where nothing does. Raises what `AWAY` lists."""


class TaskPuller:
    """`free` tells how many slots are free now; `accept` takes a message and with it, before it returns, a slot.

    `refused` hears of each message that goes back since no slot is free. With `ageing` (seconds), `heads` is asked
    where it is not clear who is next.
    """

    def __init__(
        self,
        connection: Connection,
        subjects: Subjects,
        ensemble: str,
        *,
        free: Callable[[], int],
        accept: Callable[[TaskMessage], None],
        refused: Callable[[TaskMessage], None] | None = None,
        ageing: float | None = None,
        heads: Heads | None = None,
    ) -> None:
        self._connection = connection
        self._subjects = subjects
        self._stream = subjects.work_stream(ensemble)
        self._free = free
        self._accept = accept
        self._refused = refused
        self.ageing = ageing
        self._heads = heads
        self._queues = {priority: PriorityQueue() for priority in Priority}
        self._address = ""
        self._subscription: Subscription | None = None
        self._wake = asyncio.Event()
        self._full: asyncio.TimerHandle | None = None
        self._withdrawing = False
        self._closing = False
        self._looked = False
        self._pulls_sent = 0
        self._backed_off = 0.0
        self._unsent: list[tuple[str, bytes]] = []

    @property
    def listening(self) -> bool:
        """Whether something may be parked."""
        return self._subscription is not None

    def wake(self) -> None:
        """A slot became free: look again, unless every queue is known to be empty and will tell by itself."""
        if not all(queue.pulls for queue in self._queues.values()):
            self._wake.set()

    def forget(self) -> None:
        """The connection was lost: nothing is outstanding any more."""
        for queue in self._queues.values():
            queue.end_all()
        self._wake.set()

    async def run(self) -> None:
        """Pull until `close`, whatever becomes of the connection meanwhile."""
        self._wake.set()
        while not self._closing:
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                self._end_silent()
            self._wake.clear()
            if self._withdrawing:
                await self._withdraw()
            await self._send_back()
            try:
                await self._fill()
            except AWAY as problem:
                _log.debug("%s cannot be asked now: %s", self._stream, problem)
                self._back_off()
        await self._withdraw()
        await self._send_back()

    def withdraw(self) -> None:
        """Have nothing parked, since no slot is free any more."""
        self._withdrawing = True
        self._wake.set()

    def close(self) -> None:
        """Take nothing more: from now on what arrives goes back to the queue."""
        self._closing = True
        self.forget()

    async def _fill(self) -> None:
        """Take what there are slots for, in order of urgency; park where all is empty, withdraw where none is free."""
        asked: set[Priority] = set()
        while self._free() > 0 and not self._closing:
            priority, one = await self._next(asked)
            if priority is None or (free := self._free()) <= 0:
                break
            if await self._probe(priority, self._queues[priority], 1 if one else free):
                self._looked = True  # a slot may be free again by now, and who is next depends on who waits how long
            else:
                asked.add(priority)
        self._looked = True
        for priority, queue in self._queues.items():
            if self._closing or not await self._park(priority, queue):
                break

    async def _next(self, asked: set[Priority]) -> tuple[Priority | None, bool]:
        """Whom to ask next, and whether for one only: what comes after one that has aged may be younger."""
        queues = {p: queue for p, queue in self._queues.items() if p not in asked and not queue.pulls}
        if not queues:
            return None, False
        if self.ageing is None or self._heads is None or Priority.CRITICAL in queues:
            return next(iter(queues)), False
        await self._make_sure(queues, self.ageing, self._heads)
        now = time.time()
        heads = {priority: queue.head for priority, queue in queues.items()}
        first = order(heads, now, self.ageing)[0]
        return first, promoted(heads[first], now, self.ageing)

    async def _make_sure(self, queues: dict[Priority, PriorityQueue], ageing: float, heads: Heads) -> None:
        """Ask since when heads have waited, as long as that decides who is next."""
        while self._looked:
            now = time.time()
            for queue in queues.values():
                queue.doubt(now - SURE_SECONDS)
            waiting = {p: queue.head for p, queue in queues.items() if now - queue.emptied > SURE_SECONDS}
            if not (doubts := doubtful(waiting, now, ageing)):
                return
            since = await heads(doubts[0])
            queues[doubts[0]].know(since, time.time())

    async def _probe(self, priority: Priority, queue: PriorityQueue, count: int) -> bool:
        """Ask for what is there now. True if all of `count` came, so that there may be more."""
        pull = await self._pull(priority, queue, count, {"no_wait": True})
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                return await pull.filled
        except TimeoutError:
            queue.end_all()
            return False

    async def _park(self, priority: Priority, queue: PriorityQueue) -> bool:
        """Leave credits with an empty queue. False where no slot is free."""
        wanted = min(self._free(), PARKED_CREDITS)
        missing = wanted - queue.outstanding
        if missing > wanted // 2:
            terms = {"expires": int(PARKED_SECONDS * 1e9), "idle_heartbeat": int(HEARTBEAT_SECONDS * 1e9)}
            await self._pull(priority, queue, missing, terms)
        return wanted > 0

    async def _pull(self, priority: Priority, queue: PriorityQueue, count: int, terms: dict[str, int]) -> Pull:
        if self._subscription is None:
            await self._listen()
        self._pulls_sent += 1
        token = str(self._pulls_sent)
        pull = queue.pulls[token] = Pull(count, asyncio.get_running_loop().create_future())
        queue.heard = time.monotonic()
        try:
            await self._connection.publish(
                f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{priority_consumer(priority)}",
                json.dumps({"batch": count, **terms}).encode(),
                reply=f"{self._address}.{priority.value}.{token}",
            )
        except AWAY:
            queue.end(token)
            raise
        return pull

    def _back_off(self) -> None:
        before, self._backed_off = self._backed_off, time.monotonic()
        is_first = self._backed_off - before > 2 * BACKOFF_SECONDS
        asyncio.get_running_loop().call_later(BLINK_SECONDS if is_first else BACKOFF_SECONDS, self._wake.set)

    async def _listen(self) -> None:
        self._address = self._connection.new_inbox()
        self._subscription = await self._connection.subscribe_direct(f"{self._address}.*.*", self._on_message)

    async def _withdraw(self) -> None:
        """Nothing is parked when this returns: the server forgets a pull that nobody listens for.

        What was on its way has gone back to the queue.
        """
        self._withdrawing = False
        subscription, self._subscription = self._subscription, None
        for queue in self._queues.values():
            queue.end_all()
        if subscription is not None:
            with suppress(*AWAY):
                await drain(subscription)

    def _on_message(self, message: Msg) -> None:
        if message.reply.startswith("$JS.ACK"):
            self._on_task(message)
        else:
            self._on_status(message)

    def _on_task(self, message: Msg) -> None:
        call = self._subjects.parse_work(message.subject)
        task = _task_message(message, call, self._connection) if call else None
        if task is None:
            _log.warning("dropped a message that is no task: %s", message.subject)
            self._unsent.append((message.reply, b"+TERM"))
            self._wake.set()
            return
        queue = self._queues[task.call.priority]
        queue.take()
        queue.heard = time.monotonic()
        if self._closing or self._free() <= 0:
            self._give_back(task, message.reply)
            return
        queue.taken(task.stamp, pending=task.pending, again=task.deliveries > 1, now=time.time())
        self._accept(task)
        if self._full is None and self._free() <= 0:
            self._full = asyncio.get_running_loop().call_later(FULL_SECONDS, self._stays_full)
        if queue.outstanding <= PARKED_CREDITS // 2:
            self._wake.set()

    def _give_back(self, task: TaskMessage, reply: str) -> None:
        self._unsent.append((reply, b"-NAK"))
        self._wake.set()
        if not self._closing:
            self._withdrawing = True
            if self._refused is not None:
                self._refused(task)

    async def _send_back(self) -> None:
        """What is lost on the way comes again when its time to be acknowledged is over."""
        with suppress(*AWAY):
            while self._unsent:
                await self._connection.publish(*self._unsent.pop(0))

    def _stays_full(self) -> None:
        self._full = None
        if self._free() <= 0:
            self._withdrawing = True
            self._wake.set()

    def _on_status(self, message: Msg) -> None:
        _, level, token = message.subject.rsplit(".", 2)
        queue = self._queues[Priority(level)]
        queue.heard = time.monotonic()
        match (message.headers or {}).get("Status"):
            case "100":
                return
            case "404" | "408":
                queue.empty(time.time())
                queue.end(token)
                self.wake()
            case _:  # no such consumer, no leader, too many waiting: back off, never spin
                queue.end(token)
                self._back_off()

    def _end_silent(self) -> None:
        """A parked pull that neither delivered nor beat is one the server has forgotten."""
        for queue in self._queues.values():
            if queue.pulls and time.monotonic() - queue.heard > 2.5 * HEARTBEAT_SECONDS:
                queue.end_all()


def _task_message(message: Msg, call: TaskCall, connection: Connection) -> TaskMessage | None:
    """Told by the acknowledgement subject, which has nine tokens, or eleven with an account."""
    tokens = message.reply.split(".")
    if len(tokens) > 9:
        tokens = tokens[2:]
    return TaskMessage(
        call,
        message.data,
        deliveries=int(tokens[4]),
        sequence=int(tokens[5]),
        request_id=identified(message.headers or {}),
        stamp=int(tokens[7]) / 1e9,
        pending=int(tokens[8]),
        headers=message.headers or {},
        _reply=message.reply,
        _connection=connection,
    )
