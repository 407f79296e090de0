"""One request under work: what it asks of others carries its context, deadline, trace and chain on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import JsonValue

from runner.assignment import Place
from runner.errors import CallFailed
from runner.host.workplace import Workplace
from runner.model import Use
from runner.soundness import unsound
from runner.work import (
    Budget,
    CapabilityInfo,
    CapabilityType,
    Code,
    Status,
    TaskProgress,
    TraceContext,
    WorkRequest,
    WorkResponse,
    child_id,
    span_of,
)


@dataclass(slots=True, eq=False)
class Delegation:
    """Implements `runner.assignment.Assignment` for one request that this ensemble works on, and that holds a slot."""

    workplace: Workplace
    request: WorkRequest
    capability: str
    _holding: bool = True
    _over: bool = False
    _away: int = 0
    _returning: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def ensemble(self) -> str:
        return self.workplace.name

    @property
    def deadline(self) -> datetime:
        return self.request.expires_at

    @property
    def log(self) -> logging.Logger:
        return self.workplace.log

    @property
    def variables(self) -> Mapping[str, JsonValue]:
        return {"context": self.request.context, "request": self.request.told()}

    async def use(self, name: str, input: JsonValue, *, place: Place) -> JsonValue:
        use = self.workplace.ensemble.uses.get(name)
        if use is None:
            hint = f"add it under `uses:` of {self.ensemble}"
            raise CallFailed(f"{self.ensemble} has no use called {name!r}", code=Code.NOT_WIRED, hint=hint)
        if why := unsound(input):
            raise CallFailed(f"the input for {name} cannot be carried: {why}", code=Code.INVALID_INPUT)
        providers = self.workplace.providers(use)
        if not providers:
            hint = "`run-network catalog` shows what is on offer"
            raise CallFailed(f"no live provider for {use.target}", code=Code.NO_PROVIDER, hint=hint)
        provider = self.workplace.choose(use, providers)
        async with self._elsewhere():
            response = await self._send(provider, self.child(use, provider, input, place))
        return _result(response, provider)

    async def tool(self, name: str, input: JsonValue, *, place: Place) -> JsonValue:
        tool = self.workplace.ensemble.tools.get(name)
        if tool is None:
            raise CallFailed(f"{self.ensemble} has no tool called {name!r}", code=Code.UNKNOWN_CAPABILITY)
        return await self.workplace.functions(tool.python)(input, self, place)

    async def pause(self, seconds: float) -> None:
        async with self._elsewhere():
            await asyncio.sleep(seconds)

    async def progress(self, message: str, percent: float | None = None) -> None:
        hint = TaskProgress(request_id=self.request.request_id, message=message, percent=percent)
        subject = self.workplace.subjects.reply(self.request.caller, self.ensemble, self.request.request_id)
        if self.workplace.ensemble.tasks.get(self.capability):
            await self.workplace.connection.publish(subject, hint.encode())

    def describe(self, name: str) -> CapabilityInfo | None:
        if tool := self.workplace.ensemble.tools.get(name):
            function = self.workplace.functions(tool.python)
            return CapabilityInfo(
                name=name,
                type=CapabilityType.TOOL,
                provider=self.ensemble,
                description=tool.description or function.description,
                input_schema=function.input_schema,
            )
        use = self.workplace.ensemble.uses.get(name)
        return next(iter(self.workplace.providers(use)), None) if use else None

    def child(self, use: Use, provider: CapabilityInfo, context: JsonValue, place: Place) -> WorkRequest:
        """The request that a use sends on: everything that must be handed on is, the deadline only ever shrinks."""
        parent = self.request
        now = datetime.now(UTC)
        remaining = max(parent.expires_at - now, parent.deadline * 0)
        step = place[:1] if self.capability in self.workplace.ensemble.tasks else ()  # a tool has no spans within it
        span = span_of(parent.caller, parent.request_id, *step)
        return WorkRequest(
            request_id=child_id(parent.caller, parent.request_id, *place),
            caller=self.ensemble,
            task=provider.name,
            context=context,
            priority=use.priority or parent.priority,
            deadline=min(use.deadline, remaining) if use.deadline else remaining,
            delivery=use.delivery,
            trace_context=TraceContext(
                traceparent=f"00-{parent.trace_context.trace_id}-{span}-01",
                tracestate=parent.trace_context.tracestate,
            ),
            authority=use.authority,
            scope=parent.scope,
            chain=(*parent.chain, f"{self.ensemble}/{self.capability}"),
            budget=_spend(parent.budget, use.max_hops),
            generation=parent.generation,
            submitted_at=now,
        )

    async def _send(self, provider: CapabilityInfo, request: WorkRequest) -> WorkResponse:
        caller = self.workplace.caller
        match provider.type:
            case CapabilityType.TOOL:
                return await caller.tool(provider.provider, provider.name, request)
            case CapabilityType.TASK:
                return await caller.task(provider.provider, request)

    def abandon(self) -> None:
        """The request is being cancelled: what it waits for gets it no slot back."""
        self._over = True

    def finish(self) -> None:
        """The work is over: give the slot back, if it holds one. Calls that it left running get none."""
        self._over = True
        if self._holding:
            self._holding = False
            self.workplace.slots.give()

    @asynccontextmanager
    async def _elsewhere(self) -> AsyncIterator[None]:
        """Wait for somebody else: the slot is free meanwhile, and taken again before the work goes on.

        Several waits may go on at once; the slot comes back with the last. A handler that bounds its own wait goes on
        with a slot too; only a request that is itself at its end goes without.
        """
        self._away += 1
        if self._holding:
            self._holding = False
            self.workplace.slots.give()
        try:
            yield
        finally:
            self._away -= 1
            await self._return()

    async def _return(self) -> None:
        async with self._returning:
            if self._away or self._holding or self._ended:
                return
            await self.workplace.slots.back()
            if self._ended:
                self.workplace.slots.give()
            else:
                self._holding = True

    @property
    def _ended(self) -> bool:
        return self._over or datetime.now(UTC) >= self.deadline


def _result(response: WorkResponse, provider: CapabilityInfo) -> JsonValue:
    """The result of a completed call. Raises CallFailed with the provider's own code otherwise."""
    target = f"{provider.provider}/{provider.name}"
    if response.status is Status.COMPLETED:
        if why := unsound(response.result):
            raise CallFailed(f"the result of {target} cannot be carried on: {why}", code=Code.INVALID_RESPONSE)
        return response.result
    error = response.error
    if error is None:
        raise CallFailed(f"{target} ended {response.status}", code=Code.INVALID_RESPONSE)
    raise CallFailed(error.message, code=error.code, hint=error.hint or f"from {target}")


def _spend(budget: Budget | None, max_hops: int | None) -> Budget | None:
    """One hop less; a use's own `max_hops` narrows or opens the count."""
    left = None if budget is None or budget.hops is None else budget.hops - 1
    hops = max_hops if left is None else left if max_hops is None else min(left, max_hops)
    if budget is None:
        return None if hops is None else Budget(hops=hops)
    return budget.model_copy(update={"hops": hops})
