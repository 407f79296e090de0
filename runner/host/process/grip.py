"""What the process of an ensemble has in hand, as its runner knows it, for when the process ends in the middle.

The process says so with one word that waits for nothing. That a task is really the ensemble's, the runner looks up.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from runner.bus.away import AWAY
from runner.bus.work_queues import WorkQueues
from runner.host.desk import Desk, StoreAway
from runner.host.process import calls
from runner.host.process.line import Line
from runner.work import Code, DeliverySpec, Record, Status, WorkError, WorkResponse

Request = tuple[str, str]
"""(caller, request id)."""

MOST_IN_HAND = 100_000
"""What one process may say that it has in hand; with the tool calls that wait there."""


@dataclass(slots=True, eq=False)
class _Task:
    """A delivered task. `requests` is whose it is, once that was looked up."""

    looking: asyncio.Task[None]
    requests: Mapping[Request, DeliverySpec | None] | None = None


@dataclass(slots=True, eq=False)
class Grip:
    """Of one process of the ensemble `name`."""

    name: str
    queues: WorkQueues
    desk: Desk
    may_answer: Callable[[str], bool]
    _tasks: dict[str, _Task] = field(default_factory=dict)
    _calls: dict[str, str] = field(default_factory=dict)
    _known: Counter[Request] = field(default_factory=Counter)
    _seen: dict[Request, Record] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._tasks) + len(self._calls)

    def listen(self, line: Line) -> None:
        """Hear of what the process at the other end takes up and lets go of."""
        line.hear(calls.TASK_IN_HAND, self._task)
        line.hear(calls.CALL_IN_HAND, self._call)
        line.hear(calls.LET_GO, self._let_go)

    async def has(self, caller: str, request_id: str) -> bool:
        """Whether a request was delivered to this ensemble, and its process still has it. Raises StoreAway."""
        if not self._known[caller, request_id]:
            for ticket in list(self._tasks):
                await self._see_whose(ticket)
        return self._known[caller, request_id] > 0

    async def _see_whose(self, ticket: str) -> None:
        """Return once it is known whose the task is, or it was let go. Raises StoreAway."""
        task = self._tasks.get(ticket)
        if task is None or task.requests is not None:
            return
        if task.looking.done():  # the server was away
            task = self._look(ticket)
        await asyncio.wait((task.looking,))
        if not task.looking.cancelled() and isinstance(problem := task.looking.exception(), AWAY):
            raise StoreAway from problem

    async def wants(self, caller: str, request_id: str, delivery: DeliverySpec | None) -> bool:
        """Whether the outcome of a request in hand is to go there, as it was sent or as its record has it."""
        record = self.seen(caller, request_id)
        if record is not None and delivery == record.delivery:
            return True
        if delivery not in self._asked(caller, request_id):  # or it was sent again, and that has not been looked up
            for ticket in list(self._tasks):
                await self._see_whose(ticket)
        return delivery in self._asked(caller, request_id)

    def _asked(self, *request: str) -> list[DeliverySpec | None]:
        known = [task.requests for task in self._tasks.values() if task.requests is not None]
        return [delivery for requests in known for one, delivery in requests.items() if one == request]

    def saw(self, record: Record) -> None:
        """A record of a request in hand stands so."""
        self._seen[record.caller, record.request_id] = record

    def seen(self, caller: str, request_id: str) -> Record | None:
        """The record of a request in hand, as it was last read or written."""
        return self._seen.get((caller, request_id))

    async def release(self, why: str, *, stopping: bool = False) -> None:
        """The process has ended: its tasks go back into the queue, and who waits for a tool is told. At once.

        `stopping`: no other process takes its place.
        """
        tasks, waiting = list(self._tasks), dict(self._calls)
        self._calls.clear()
        for ticket in tasks:
            await asyncio.wait((self._tasks[ticket].looking,))
            if self._tasks[ticket].requests:  # else it is not this ensemble's, or not there any more
                with suppress(*AWAY):
                    await self.queues.give_back(ticket)
            self._let_go(ticket)
        for reply, request_id in waiting.items():
            if self.may_answer(reply):
                with suppress(*AWAY):
                    await self.desk.answer(reply, _cut_off(self.name, request_id, why, stopping).encode())

    def _task(self, ticket: str) -> None:
        self._bound()
        self._look(ticket)

    def _look(self, ticket: str) -> _Task:
        looking = asyncio.ensure_future(self._find(ticket))
        looking.add_done_callback(lambda _: looking.cancelled() or looking.exception())
        task = self._tasks[ticket] = _Task(looking)
        return task

    async def _find(self, ticket: str) -> None:
        """What was found is known from the moment at which this is done."""
        requests = await self.queues.requests_at(ticket, self.name)
        self._tasks[ticket].requests = requests
        self._known.update(requests.keys())

    def _call(self, reply: str, request_id: str) -> None:
        self._bound()
        self._calls[reply] = request_id

    def _bound(self) -> None:
        """Raises ValueError, which ends the line: nothing honest has so much in hand."""
        if len(self) >= MOST_IN_HAND:
            raise ValueError(f"{self.name} says that it has more than {MOST_IN_HAND:,} in hand")

    def _let_go(self, address: str) -> None:
        self._calls.pop(address, None)
        task = self._tasks.pop(address, None)
        if task is None:
            return
        task.looking.cancel()
        for request in task.requests or ():
            self._known[request] -= 1
            if self._known[request] <= 0:
                del self._known[request]
                self._seen.pop(request, None)


def _cut_off(provider: str, request_id: str, why: str, stopping: bool) -> WorkResponse:
    message = f"{provider} was at work on it when its process ended with {why}"
    hint = "it is being started again: call again where that does no harm"
    if stopping:
        message = f"{provider} was stopped while it was at work on it, and did not end it within `drain_timeout`"
        hint = "the network is stopping, or drains it: call again when it is up, where that does no harm"
    error = WorkError(code=Code.UNAVAILABLE, message=message, hint=hint)
    return WorkResponse(request_id=request_id, status=Status.FAILED, error=error, provider=provider)
