"""Taking tasks from the four priority queues of one ensemble, never more than there are free slots.

A free slot asks the queues in order of urgency, without waiting; when all are empty, a few credits are parked on each,
so that the next task arrives by itself. A parked queue is thereby known to be empty and is not asked again. What
arrives when every slot is taken goes straight back. (The design was measured against prefetching into a local heap:
p99 wait of the most urgent 5.7 ms against 600 ms, and no hoarding between replicas.)
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from runner.bus.connection import Connection
from runner.subjects import Subjects, TaskCall, priority_consumer
from runner.work import REQUEST_ID_PATTERN, Priority

PARKED_CREDITS = 8
PARKED_SECONDS = 30.0
HEARTBEAT_SECONDS = 5.0
PROBE_SECONDS = 5.0
BACKOFF_SECONDS = 0.25
_log = logging.getLogger("runner.bus")


@dataclass(frozen=True, slots=True, eq=False)
class TaskMessage:
    """One delivered task; `request_id` is what its message id says.

    Whoever holds it says `alive` until it is acknowledged, or it is given to another.
    """

    call: TaskCall
    data: bytes
    deliveries: int
    sequence: int
    request_id: str | None
    _reply: str
    _connection: Connection

    async def ack(self) -> None:
        """The work is done and recorded: the queue forgets it."""
        await self._connection.publish(self._reply, b"+ACK")

    async def give_back(self, delay: float = 0.0) -> None:
        """Let another, or us again, have it; after `delay` seconds."""
        word = f'-NAK {{"delay": {int(delay * 1e9)}}}' if delay else "-NAK"
        await self._connection.publish(self._reply, word.encode())

    async def alive(self) -> None:
        await self._connection.publish(self._reply, b"+WPI")


@dataclass(slots=True, eq=False)
class _Pull:
    """One request for messages. `filled` becomes True when all came, False when the server ended it before."""

    credits: int
    filled: asyncio.Future[bool]

    def end(self, *, filled: bool) -> None:
        if not self.filled.done():
            self.filled.set_result(filled)


@dataclass(slots=True)
class _Queue:
    """What is asked of one priority, oldest first, and when the server last said anything about it."""

    pulls: dict[str, _Pull] = field(default_factory=dict)
    heard: float = 0.0

    @property
    def outstanding(self) -> int:
        return sum(pull.credits for pull in self.pulls.values())

    def take(self) -> None:
        """One message arrived: the oldest pull has one credit less."""
        for token, pull in self.pulls.items():
            pull.credits -= 1
            if pull.credits <= 0:
                del self.pulls[token]
                pull.end(filled=True)
            return

    def end(self, token: str) -> None:
        if pull := self.pulls.pop(token, None):
            pull.end(filled=False)

    def end_all(self) -> None:
        for token in list(self.pulls):
            self.end(token)


class TaskPuller:
    """`free` tells how many slots are free now; `accept` takes a message and with it, before it returns, a slot."""

    def __init__(
        self,
        connection: Connection,
        subjects: Subjects,
        ensemble: str,
        *,
        free: Callable[[], int],
        accept: Callable[[TaskMessage], None],
    ) -> None:
        self._connection = connection
        self._subjects = subjects
        self._stream = subjects.work_stream(ensemble)
        self._free = free
        self._accept = accept
        self._queues = {priority: _Queue() for priority in Priority}
        self._address = connection.new_inbox()
        self._subscription: Subscription | None = None
        self._wake = asyncio.Event()
        self._closing = False
        self._pulls_sent = 0

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
        """Pull until `close`."""
        self._subscription = await self._connection.subscribe(
            f"{self._address}.*.*", cb=self._on_message, pending_msgs_limit=0, pending_bytes_limit=0
        )
        self._wake.set()
        while not self._closing:
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                self._end_silent()
            self._wake.clear()
            await self._fill()

    async def close(self) -> None:
        """Take nothing more: from now on what arrives goes back to the queue."""
        self._closing = True
        self.forget()

    async def _fill(self) -> None:
        for priority, queue in self._queues.items():
            while not queue.pulls and (free := self._free()) > 0 and not self._closing:
                if not await self._probe(priority, queue, free):
                    break
        for priority, queue in self._queues.items():
            if self._closing or not await self._park(priority, queue):
                return

    async def _probe(self, priority: Priority, queue: _Queue, count: int) -> bool:
        """Ask for what is there now. True if all of `count` came, so that there may be more."""
        pull = await self._pull(priority, queue, count, {"no_wait": True})
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                return await pull.filled
        except TimeoutError:
            queue.end_all()
            return False

    async def _park(self, priority: Priority, queue: _Queue) -> bool:
        """Leave credits with an empty queue. False where no slot is free."""
        wanted = min(self._free(), PARKED_CREDITS)
        missing = wanted - queue.outstanding
        if missing > wanted // 2:
            terms = {"expires": int(PARKED_SECONDS * 1e9), "idle_heartbeat": int(HEARTBEAT_SECONDS * 1e9)}
            await self._pull(priority, queue, missing, terms)
        return wanted > 0

    async def _pull(self, priority: Priority, queue: _Queue, count: int, terms: dict[str, int]) -> _Pull:
        self._pulls_sent += 1
        token = str(self._pulls_sent)
        pull = queue.pulls[token] = _Pull(count, asyncio.get_running_loop().create_future())
        queue.heard = time.monotonic()
        await self._connection.publish(
            f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{priority_consumer(priority)}",
            json.dumps({"batch": count, **terms}).encode(),
            reply=f"{self._address}.{priority.value}.{token}",
        )
        return pull

    async def _on_message(self, message: Msg) -> None:
        if message.reply.startswith("$JS.ACK"):
            await self._on_task(message)
        else:
            self._on_status(message)

    async def _on_task(self, message: Msg) -> None:
        call = self._subjects.parse_work(message.subject)
        task = _task_message(message, call, self._connection) if call else None
        if task is None:
            _log.warning("dropped a message that is no task: %s", message.subject)
            await self._connection.publish(message.reply, b"+TERM")
            return
        queue = self._queues[task.call.priority]
        queue.take()
        queue.heard = time.monotonic()
        if self._closing or self._free() <= 0:
            await task.give_back()
            return
        self._accept(task)
        if queue.outstanding <= PARKED_CREDITS // 2:
            self._wake.set()

    def _on_status(self, message: Msg) -> None:
        _, level, token = message.subject.rsplit(".", 2)
        queue = self._queues[Priority(level)]
        queue.heard = time.monotonic()
        match (message.headers or {}).get("Status"):
            case "100":
                return
            case "404" | "408":
                queue.end(token)
                self.wake()
            case _:  # no such consumer, no leader, too many waiting: back off, never spin
                queue.end(token)
                asyncio.get_running_loop().call_later(BACKOFF_SECONDS, self._wake.set)

    def _end_silent(self) -> None:
        """A parked pull that neither delivered nor beat is one the server has forgotten."""
        for queue in self._queues.values():
            if queue.pulls and time.monotonic() - queue.heard > 2.5 * HEARTBEAT_SECONDS:
                queue.end_all()


def _task_message(message: Msg, call: TaskCall, connection: Connection) -> TaskMessage | None:
    """The acknowledgement subject tells deliveries and sequence; it has nine tokens, or eleven with an account."""
    tokens = message.reply.split(".")
    if len(tokens) > 9:
        tokens = tokens[2:]
    identity = (message.headers or {}).get("Nats-Msg-Id", "").split(".")
    request_id = identity[1] if len(identity) == 3 and re.fullmatch(REQUEST_ID_PATTERN, identity[1]) else None
    return TaskMessage(call, message.data, int(tokens[4]), int(tokens[5]), request_id, message.reply, connection)
