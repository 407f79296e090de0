"""Answering tool calls: at most once, up to the ensemble's slots at a time, within each call's deadline."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from pydantic import ValidationError

from runner.bus.service import ToolCounts, ToolMessage
from runner.host.crew import Crew
from runner.host.delegation import Delegation
from runner.host.ledger import Ledger
from runner.host.outcome import cancelled, outcome, oversized, refused, rejected, seconds_left
from runner.host.pipeline import run_tool
from runner.host.workplace import Workplace
from runner.model import Tool
from runner.work import Code, WorkRequest, WorkResponse


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
    """Handles what a ToolService delivers. `crew` owns the work."""

    def __init__(self, workplace: Workplace, crew: Crew, counts: dict[str, ToolCounts]) -> None:
        self._workplace = workplace
        self._crew = crew
        self._counts = counts
        self._in_hand: dict[tuple[str, str], list[_Call]] = {}

    def cancel(self, caller: str, request_id: str) -> bool:
        """Cancel a call in hand. False where it is not here."""
        calls = self._in_hand.get((caller, request_id), ())
        for call in calls:
            call.cancel()
        return bool(calls)

    def handle(self, message: ToolMessage) -> None:
        self._crew.start(self._serve(message), f"tool {message.call.capability} for {message.call.caller}")

    async def _serve(self, message: ToolMessage) -> None:
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
            await self._respond(message, _stopping(request, workplace.name))
            raise
        except Exception:
            workplace.log.exception("%s/%s broke", workplace.name, message.call.capability)
            text, hint = f"{workplace.name} could not work on the request", "the traceback is in the runner's log"
            response = rejected(_id(request), workplace.name, Code.HANDLER_FAILED, text, hint)
        response = await self._respond(message, response)
        await asyncio.sleep(0)  # the answer leaves first
        self._counts[message.call.capability].count(started, response.error.message if response.error else None)
        if request is not None:
            Ledger(workplace.events, workplace.name, request).end(response)

    async def _respond(self, message: ToolMessage, response: WorkResponse) -> WorkResponse:
        """Send a response, or what stands in for one that the server would not carry."""
        data, limit = response.encode(), self._workplace.connection.max_payload
        if len(data) > limit:
            response = oversized(response, len(data), limit)
            data = response.encode()
        await message.respond(data)
        return response

    async def _answer(self, message: ToolMessage, request: WorkRequest) -> WorkResponse:
        workplace, name = self._workplace, message.call.capability
        tool, capability = workplace.ensemble.tools.get(name), workplace.capability(name)
        if tool is None or capability is None or request.task != name:
            text = f"{workplace.name} has no tool called {request.task!r}"
            hint = "`run-network catalog` shows what is on offer"
            return rejected(request.request_id, workplace.name, Code.UNKNOWN_CAPABILITY, text, hint)
        if refusal := workplace.refusal(request, message.call.caller, capability):
            return refused(request.request_id, workplace.name, refusal)
        if request.delivery is not None and request.delivery.method != "reply":
            text = f"{workplace.name}/{name} is a tool: it answers whoever calls, and delivers nowhere else"
            return rejected(request.request_id, workplace.name, Code.INVALID_REQUEST, text, "deliver a task's result")
        return await self._cancellable(message.call.caller, request, tool)

    async def _cancellable(self, caller: str, request: WorkRequest, tool: Tool) -> WorkResponse:
        """The work, until somebody cancels it: then what it asked of others ends as well."""
        work = asyncio.current_task()
        assert work is not None
        key, call = (caller, request.request_id), _Call(work, Delegation(self._workplace, request, tool.name))
        self._in_hand.setdefault(key, []).append(call)
        try:
            response = await self._worked(request, tool, call.delegation)
        except asyncio.CancelledError:
            if not call.cancelled:
                raise
            work.uncancel()
            response = cancelled(request, self._workplace.name)
        finally:
            self._in_hand[key].remove(call)
            if not self._in_hand[key]:
                del self._in_hand[key]
        await call.delegation.recall(response.status)
        return response

    async def _worked(self, request: WorkRequest, tool: Tool, delegation: Delegation) -> WorkResponse:
        workplace = self._workplace
        if not await self._slot(request):
            limit = workplace.ensemble.capacity.queue_limit
            text = f"{limit} calls already wait for a slot of {workplace.name}, or the deadline passed waiting"
            hint = "raise `capacity.max_concurrent` or `capacity.queue_limit`, or call less at once"
            return rejected(request.request_id, workplace.name, Code.QUEUE_FULL, text, hint)
        function = workplace.functions(tool.python)
        try:
            work = run_tool(function, request.context, delegation, f"{workplace.name}/{tool.name}")
            return await outcome(request, workplace.name, work)
        finally:
            delegation.finish()

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
