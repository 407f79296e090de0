"""Answering tool calls: at most once, up to the ensemble's slots at a time, within each call's deadline."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta

from pydantic import JsonValue, ValidationError

from runner.bus.service import ToolCounts, ToolMessage
from runner.host.crew import Crew
from runner.host.delegation import Delegation
from runner.host.ledger import Ledger
from runner.host.outcome import cancelled, fitting, outcome, refused, rejected, seconds_left
from runner.host.pipeline import run_tool
from runner.host.workplace import Workplace
from runner.model import Tool
from runner.payload import PayloadsAway
from runner.work import Code, Status, WorkRequest, WorkResponse


@dataclass(slots=True, eq=False)
class _Call:
    """A tool call in hand, from when it waits for a slot."""

    work: asyncio.Task[object]
    delegation: Delegation
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True
        self.delegation.abandon()
        self.work.cancel()


class ToolCalls:
    """Handles what a ToolService delivers, all of it by one version. `crew` owns the work."""

    def __init__(self, workplace: Workplace, crew: Crew, counts: dict[str, ToolCounts]) -> None:
        self._workplace = workplace
        self._crew = crew
        self._counts = counts
        self._in_hand: dict[tuple[str, str], list[_Call]] = {}

    def at(self, workplace: Workplace) -> ToolCalls:
        """The same calls in hand, and from here on another version for new ones."""
        calls = ToolCalls(workplace, self._crew, self._counts)
        calls._in_hand = self._in_hand
        return calls

    def cancel(self, caller: str, request_id: str) -> bool:
        """Cancel a call in hand. False where it is not here."""
        calls = self._in_hand.get((caller, request_id), ())
        for call in calls:
            call.cancel()
        return bool(calls)

    def in_hand(self) -> tuple[tuple[str, str], ...]:
        """The calls in hand, by caller and request id."""
        return tuple(self._in_hand)

    def handle(self, message: ToolMessage) -> None:
        self._crew.start(self._serve(message), f"tool {message.call.capability} for {message.call.caller}")

    async def _serve(self, message: ToolMessage) -> None:
        try:
            await self._answered(message)
        finally:
            message.close()

    async def _answered(self, message: ToolMessage) -> None:
        """The door of one call: whatever it comes to, the caller is answered."""
        started = time.perf_counter()
        workplace = self._workplace
        request: WorkRequest | None = None
        try:
            request = WorkRequest.model_validate_json(message.data)
            response = await self._answer(message, request)
        except ValidationError as problem:
            text = f"this is no WorkRequest: {problem.errors()[0]['msg']}"
            response = rejected("", workplace.name, Code.INVALID_REQUEST, text, "see schemas/work-request.schema.json")
        except asyncio.CancelledError:
            await self._respond(message, request, _stopping(request, workplace.name))
            raise
        except Exception:
            workplace.log.exception("%s/%s broke", workplace.name, message.call.capability)
            text, hint = f"{workplace.name} could not work on the request", "the traceback is in the runner's log"
            response = rejected(_id(request), workplace.name, Code.HANDLER_FAILED, text, hint)
        response = await self._respond(message, request, response)
        if not self._is_alone:
            await asyncio.sleep(0)  # the answer leaves first
        self._counts[message.call.capability].count(started, response.error.message if response.error else None)
        if request is not None:
            Ledger(workplace.events, workplace.name, request).end(response)

    async def _respond(self, message: ToolMessage, request: WorkRequest | None, response: WorkResponse) -> WorkResponse:
        """Send a response, or what stands in for one that the server would not carry."""
        data = self._workplace.payloads.message(response)
        if data is None:
            response = await self._fitting(response, request)
            data = response.encode()
        await message.respond(data, alone=self._is_alone)
        return response

    @property
    def _is_alone(self) -> bool:
        """Whether there is one piece of work in hand, and nothing to wait for that would leave with its answer."""
        return len(self._crew) == 1

    async def _answer(self, message: ToolMessage, request: WorkRequest) -> WorkResponse:
        workplace, name = self._workplace, message.call.capability
        tool, capability = workplace.ensemble.tools.get(name), workplace.shared.get(name)
        if tool is None or capability is None or request.task != name:
            text = f"{workplace.name} has no tool called {request.task!r}"
            hint = "`run-network catalog` shows what is on offer"
            return rejected(request.request_id, workplace.name, Code.UNKNOWN_CAPABILITY, text, hint)
        if problem := workplace.ailment.problem:
            text, hint = f"{workplace.name} is not well: {problem}", "call again later, or name a `fallback`"
            return rejected(request.request_id, workplace.name, Code.CAPABILITY_DEGRADED, text, hint)
        if refusal := workplace.refusal(request, message.call.caller, capability):
            return refused(request.request_id, workplace.name, refusal)
        if request.delivery is not None and request.delivery.method != "reply":
            text = f"{workplace.name}/{name} is a tool: it answers whoever calls, and delivers nowhere else"
            return rejected(request.request_id, workplace.name, Code.INVALID_REQUEST, text, "deliver a task's result")
        delegation = Delegation(workplace, request, name, len(message.data))
        return await self._cancellable(message, delegation, tool)

    async def _cancellable(self, message: ToolMessage, delegation: Delegation, tool: Tool) -> WorkResponse:
        """The work, until somebody cancels it: then what it asked of others ends as well."""
        work = asyncio.current_task()
        assert work is not None
        request, started = delegation.request, time.perf_counter()
        key, call = (message.call.caller, request.request_id), _Call(work, delegation)
        self._workplace.desk.call_in_hand(message.reply, request.request_id, work)
        self._in_hand.setdefault(key, []).append(call)
        try:
            response = await self._worked(request, tool, delegation)
        except asyncio.CancelledError:
            if not call.cancelled:
                raise
            work.uncancel()
            response = cancelled(request, self._workplace.name, started=started)
        finally:
            self._in_hand[key].remove(call)
            if not self._in_hand[key]:
                del self._in_hand[key]
        await delegation.recall(response.status)
        return response

    async def _worked(self, request: WorkRequest, tool: Tool, delegation: Delegation) -> WorkResponse:
        workplace = self._workplace
        if not await self._slot(request):
            limit = workplace.ensemble.capacity.queue_limit
            text = f"{limit} calls already wait for a slot of {workplace.name}, or the deadline passed waiting"
            hint = "raise `capacity.max_concurrent` or `capacity.queue_limit`, or call less at once"
            return rejected(request.request_id, workplace.name, Code.QUEUE_FULL, text, hint)
        try:
            response = await outcome(request, workplace.name, self._work(delegation, tool))
        finally:
            delegation.finish()
        if response.status is Status.COMPLETED:
            workplace.times.add(tool.name, response.duration_ms / 1000)
        return response

    async def _work(self, delegation: Delegation, tool: Tool) -> JsonValue:
        await delegation.unpack()
        function = self._workplace.functions(tool.python)
        name = f"{self._workplace.name}/{tool.name}"
        return await run_tool(function, delegation.request.context, delegation, name)

    async def _fitting(self, response: WorkResponse, request: WorkRequest | None) -> WorkResponse:
        """A response whose result is put away until the caller's deadline."""
        patience = timedelta(seconds=seconds_left(request) if request else 0)
        try:
            return await fitting(response, self._workplace.payloads, patience, patience)
        except PayloadsAway:
            text = "the result could not be put away: the server is away"
            return rejected(_id(request), self._workplace.name, Code.UNAVAILABLE, text, "call again once it is back")

    async def _slot(self, request: WorkRequest) -> bool:
        slots = self._workplace.slots
        if slots.take():
            return True
        if slots.waiting >= self._workplace.ensemble.capacity.queue_limit:
            return False
        try:
            async with asyncio.timeout(seconds_left(request)):
                await slots.wait()
        except TimeoutError:
            return False
        return True


def _id(request: WorkRequest | None) -> str:
    return request.request_id if request else ""


def _stopping(request: WorkRequest | None, provider: str) -> WorkResponse:
    text = f"{provider} stopped before it was done"
    return rejected(_id(request), provider, Code.UNAVAILABLE, text, "call again once it is back")
