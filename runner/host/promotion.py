"""`requests --prioritize`: a waiting task goes to the queue of another priority."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from runner.bus.backlog import Backlog, Spot, Waiting
from runner.bus.events import Events
from runner.bus.work_queues import WorkQueues
from runner.host.desk import Desk
from runner.host.holders import Holders
from runner.host.hosted import Hosted
from runner.host.ledger import Ledger
from runner.host.registry import Registry
from runner.reports import PriorityReport, ProblemReport
from runner.subjects import TaskCall, publication_of_place
from runner.work import Code, Priority, WorkError, WorkRequest

PUBLISH_ATTEMPTS = 3
"""Between two of which a place in a full queue may become free."""

Find = Callable[[str, str], Awaitable[Waiting | None]]


@dataclass(frozen=True, slots=True, eq=False)
class Promotion:
    """Moves for one runner."""

    find: Find
    backlog: Backlog
    queues: WorkQueues
    desk: Desk
    hosted: Mapping[str, Hosted]
    registry: Registry
    holders: Holders
    events: Events
    limit: Callable[[str], int | None]
    """`capacity.queue_limit` of an ensemble, as it is now."""

    async def prioritize(self, caller: str, request_id: str, priority: Priority) -> PriorityReport:
        """It waits with this priority when this returns, or the report says why not.

        The new message stands before the old one goes: a crash between the two leaves both, and the record decides.
        Raises StoreAway, ServerFailed and what `AWAY` lists.
        """
        waiting = await self.find(caller, request_id)
        if waiting is None:
            return await self._nowhere(caller, request_id)
        if not await self._waits(waiting):
            return _refused(caller, request_id, _in_hand(caller, request_id, waiting.call.provider))
        if waiting.call.priority is not priority:
            if problem := await self._move(waiting, priority):
                return _refused(caller, request_id, problem)
            message = f"from {waiting.call.priority.lower()} to {priority.lower()}"
            Ledger(self.events, waiting.call.provider, waiting.request).write("prioritized", message=message)
        return PriorityReport(
            request_id=request_id,
            caller=caller,
            provider=waiting.call.provider,
            priority=priority,
            previous=waiting.call.priority,
        )

    async def _move(self, waiting: Waiting, priority: Priority) -> WorkError | None:
        call, request = waiting.call, waiting.request.model_copy(update={"priority": priority})
        if problem := await self._publish(request, call, publication_of_place(waiting.sequence)):
            return problem
        moved = await self.backlog.later(waiting)
        if moved is None:  # it was moved from here a moment ago, and that was taken back: the server swallows this one
            return _in_hand(call.caller, request.request_id, call.provider)
        if await self._waits(waiting):
            if await self._stands(moved):  # else it was left to one who had the original in hand, and has gone since
                await self.queues.delete(call.provider, waiting.sequence)
            return None
        if await self._waits(moved):  # it was taken in the meantime: it is worked on once
            await self.queues.delete(call.provider, moved.sequence)
        return _in_hand(call.caller, request.request_id, call.provider)

    async def _publish(self, request: WorkRequest, call: TaskCall, publication: int) -> WorkError | None:
        """A full queue takes one more for this: there are no more tasks in it than before when the move is done."""
        for _ in range(PUBLISH_ATTEMPTS):
            problem = await self.desk.publish(request, call.provider, sender=call.caller, publication=publication)
            if problem is None or problem.code != Code.QUEUE_FULL:
                return problem
            if (limit := self.limit(call.provider)) is None:
                break
            async with self.queues.one_more(call.provider, limit):  # somebody else may be the one
                problem = await self.desk.publish(request, call.provider, sender=call.caller, publication=publication)
            if problem is None:
                return None
        return _no_room(call.provider)

    async def _stands(self, waiting: Waiting) -> bool:
        return await self.queues.get(waiting.call.provider, waiting.sequence) is not None

    async def _waits(self, waiting: Waiting) -> bool:
        call = waiting.call
        [position] = await self.desk.queue_positions(call.provider, [Spot(call.priority, waiting.sequence)])
        if position is not None:
            return True
        request_id = waiting.request.request_id  # delivered: it waits again where nobody has it
        here = self.hosted.get(call.provider)
        if here is not None:
            await here.look()
        if here is not None and waiting.sequence in here.messages(call.caller, request_id):
            return False
        others = [r.runner for r in self.registry.of(call.provider) if here is None or r.runner != here.runner]
        asked = (self.holders.ask(runner, call.provider, call.caller, request_id) for runner in others)
        return all(waiting.sequence not in held for held in await asyncio.gather(*asked))

    async def _nowhere(self, caller: str, request_id: str) -> PriorityReport:
        held = await self.desk.read(caller, request_id)
        if held.record is not None and held.record.response is not None:
            text = f"{caller}/{request_id} is {held.record.response.status} already"
            return _refused(caller, request_id, WorkError(code=Code.NOT_WAITING, message=text, hint=_HINT))
        text, hint = f"nobody knows a request {caller}/{request_id}", "`run-network requests` lists them"
        return _refused(caller, request_id, WorkError(code=Code.UNKNOWN_REQUEST, message=text, hint=hint))


_HINT = "`run-network requests --state queued` lists what waits"


def _in_hand(caller: str, request_id: str, provider: str) -> WorkError:
    message = f"{provider} works on {caller}/{request_id} already"
    return WorkError(code=Code.NOT_WAITING, message=message, hint=_HINT)


def _no_room(provider: str) -> WorkError:
    message = f"the queue of {provider} is full: nothing can be moved in it until a task ends"
    return WorkError(code=Code.QUEUE_FULL, message=message, hint="try again, or raise `capacity.queue_limit`")


def _refused(caller: str, request_id: str, error: WorkError) -> PriorityReport:
    problem = ProblemReport(code=error.code, message=error.message, hint=error.hint)
    return PriorityReport(request_id=request_id, caller=caller, error=problem)
