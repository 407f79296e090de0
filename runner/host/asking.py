"""One use, asked once: of whom, for how long, and what its caller makes of a provider that is late, full or gone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from pydantic import JsonValue

from runner.assignment import Place
from runner.capability import CapabilityInfo
from runner.durations import format_duration
from runner.errors import CallFailed
from runner.host.child_request import Sending, limits_of
from runner.host.children import Children
from runner.host.ledger import Ledger
from runner.host.resolving import nobody
from runner.host.workplace import Workplace
from runner.model import Mode, OnConstrained, OnDeadline, StaticTarget
from runner.routing.choice import Choice, Limits
from runner.routing.doubts import Verdict, is_late, of_constrained, of_late
from runner.routing.failover import may_be_asked_elsewhere
from runner.routing.strategy import Occasion
from runner.routing.wiring import fallback
from runner.soundness import unsound
from runner.work import CapabilityType, Code, Status, TaskAccepted, WorkRequest, WorkResponse

LAST_WORD_SECONDS = 1.0
"""How long a caller that goes on after the deadline waits to be told what was finished until then."""

_FALLBACK: Place = ("fallback",)


@dataclass(slots=True, eq=False)
class Asking:
    """`value` once. `tell` reaches whoever waits for the request that asks."""

    workplace: Workplace
    sending: Sending
    place: Place
    children: Children
    tell: Callable[[str], Awaitable[None]]
    _expires_at: datetime = field(init=False)
    _occasion: Occasion = field(init=False)
    _limits: Limits = field(init=False)
    _noted: bool = False

    def __post_init__(self) -> None:
        """Raises TemplateProblem where the use's `key` cannot be made."""
        parent, use, now = self.sending.parent, self.sending.use, datetime.now(UTC)
        own = now + use.deadline if use.deadline is not None else parent.expires_at
        self._expires_at = min(own, parent.expires_at)
        left = (self._expires_at - now).total_seconds()
        self._occasion = self.workplace.resolving.occasion(use, self.sending.key, left)
        self._limits = limits_of(parent, use, self.sending.here)

    async def value(self) -> JsonValue:
        """The result, or what stands in for it. Raises CallFailed."""
        choice = self._choice()
        if choice.chosen is None:
            choice = await self.workplace.resolving.found(self.sending.use, self._occasion, self._limits)
        if choice.chosen is None:
            gone = nobody(self.sending.use, choice, self.workplace.desk.discovery_away)
            return await self._fall_back(gone, self._expires_at)
        provider = choice.chosen.capability
        if choice.chosen.condition.constrained:
            self.note_constrained(provider)
            if self.sending.use.on_constrained is not OnConstrained.WAIT:
                return await self._refused(provider)
        return await self._ask(provider, self.place, found=True)

    def _choice(self, *, tasks_only: bool = False) -> Choice:
        return self.workplace.resolving.choice(self.sending.use, self._occasion, self._limits, tasks_only=tasks_only)

    async def _ask(self, provider: CapabilityInfo, place: Place, *, found: bool) -> JsonValue:
        """Ask one provider, and whoever comes after it. `found`: the use's own need led there.

        Whoever comes after one that did not take it is sent the same request, under the same id: nobody has it yet.
        """
        while True:
            request = self.sending.request(
                provider, place, expires_at=self._expires_at, now=datetime.now(UTC), found=found
            )
            if self.sending.use.mode is Mode.ASYNC:
                doubts, response = None, await self._leave(provider, request)
            else:
                doubts = Doubts(self, provider, request, found)
                with self.children.sent(provider, request, Mode.AWAIT):
                    response = await self._send(provider, request, doubts)
            if response.status is Status.COMPLETED or not found:
                return result_of(response, provider)
            if doubts and doubts.verdict is not Verdict.GO_ON and response.status is Status.CANCELLED:
                return await self._after_doubt(doubts.verdict, provider, response)
            elsewhere = may_be_asked_elsewhere(response, idempotent=provider.idempotent)
            if not elsewhere or (following := self._following(provider, response)) is None:
                return await self._after_failure(provider, response)
            provider = following

    def _following(self, provider: CapabilityInfo, response: WorkResponse) -> CapabilityInfo | None:
        """Who is asked in place of a provider that did not take the request, within the deadline."""
        if isinstance(self.sending.use.target, StaticTarget) or datetime.now(UTC) >= self._expires_at:
            return None
        why = response.error.code if response.error else response.status
        self._rule_out(provider, why)
        following = self._choice().chosen
        if following is None:
            return None
        message = f"{self.sending.use.name}: {_named(provider)} did not take it ({why})"
        self._write("DELEGATION_FAILED", f"{message}: {_named(following.capability)} is asked")
        return following.capability

    def _rule_out(self, provider: CapabilityInfo, why: str) -> None:
        """It was asked, and is not asked again."""
        self._limits = replace(self._limits, tried={**self._limits.tried, _named(provider): why})

    async def _send(self, provider: CapabilityInfo, request: WorkRequest, doubts: Doubts) -> WorkResponse:
        caller = self.workplace.caller
        with self.workplace.resolving.asked(provider.provider):
            match provider.type:
                case CapabilityType.TOOL:
                    idempotent = provider.idempotent
                    return await caller.tool(provider.provider, provider.name, request, idempotent=idempotent)
                case CapabilityType.TASK:
                    patient = self.sending.use.on_deadline is OnDeadline.CONTINUE
                    grace = LAST_WORD_SECONDS if patient else 0.0
                    return await caller.task(provider.provider, request, doubts=doubts, grace=grace)

    async def _leave(self, provider: CapabilityInfo, request: WorkRequest) -> WorkResponse:
        """Put the task into the provider's queue, and leave it there: durable when this returns, or refused."""
        if provider.type is CapabilityType.TOOL:
            message = f"{provider.provider}/{provider.name} is a tool, and a tool answers whoever waits"
            raise CallFailed(message, code=Code.INVALID_REQUEST, hint="take `mode: async` out, or ask a task")
        with self.children.sent(provider, request, Mode.ASYNC):
            submitted = await self.workplace.caller.submit(provider.provider, request)
        if isinstance(submitted, WorkResponse):
            self.children.close(request)
            return submitted
        ticket = {"requestId": request.request_id, "from": self.workplace.name, "status": "PENDING"}
        return WorkResponse(request_id=request.request_id, status=Status.COMPLETED, result=ticket)

    async def _after_doubt(self, verdict: Verdict, provider: CapabilityInfo, response: WorkResponse) -> JsonValue:
        """It was called off, and ended so."""
        match verdict:
            case Verdict.OTHER_PROVIDER if other := self.other(provider):
                return await self._ask(other, (*self.place, f"at {other.provider}"), found=True)
            case Verdict.OTHER_PROVIDER:
                return await self._fall_back(_failed(response, provider), self._expires_at)
            case Verdict.CONTINUE:
                return _partial(response)
            case _:
                return await self._refused(provider)

    async def _after_failure(self, provider: CapabilityInfo, response: WorkResponse) -> JsonValue:
        parent, on_deadline = self.sending.parent, self.sending.use.on_deadline
        if response.status is Status.EXPIRED and datetime.now(UTC) < parent.expires_at:
            if on_deadline is OnDeadline.CONTINUE:
                return _partial(response)
            if on_deadline is OnDeadline.FALLBACK:
                return await self._fall_back(_failed(response, provider), parent.expires_at)
        failed = _failed(response, provider)
        if may_be_asked_elsewhere(response, idempotent=provider.idempotent):
            return await self._fall_back(self._with_tried(failed), self._expires_at)
        raise failed

    def _with_tried(self, failed: CallFailed) -> CallFailed:
        """The last failure, with everybody who was asked before."""
        if len(self._limits.tried) < 2:
            return failed
        asked = ", ".join(f"{target} ({why})" for target, why in self._limits.tried.items())
        return CallFailed(f"{failed.message}; asked were {asked}", code=failed.code, hint=failed.hint)

    async def _refused(self, provider: CapabilityInfo) -> JsonValue:
        """More wait for the provider than this use puts up with."""
        message = f"{_named(provider)} is constrained: more wait for it than its `backpressure` allows"
        hint = "wait with `on_constrained: wait`, or name a `fallback`"
        full = CallFailed(message, code=Code.CAPACITY_CONSTRAINED, hint=hint)
        if self.sending.use.on_constrained is OnConstrained.FAIL:
            raise full
        return await self._fall_back(full, self._expires_at)

    async def _fall_back(self, why: CallFailed, expires_at: datetime) -> JsonValue:
        """Ask the fallback, once and until then. Raises what led here where there is none."""
        named = self.fallback()
        if named is None:
            raise why
        self._expires_at = expires_at
        return await self._ask(named, (*self.place, *_FALLBACK), found=False)

    def fallback(self) -> CapabilityInfo | None:
        """Who is asked when nobody else can be."""
        return fallback(self.sending.use, self.workplace.declared)

    def other(self, provider: CapabilityInfo) -> CapabilityInfo | None:
        """Who comes after a provider that took the task, and may be late with it."""
        if isinstance(self.sending.use.target, StaticTarget):
            return None
        self._rule_out(provider, "it may be late")
        found = self._choice(tasks_only=True).chosen
        return found.capability if found is not None else None

    def note_constrained(self, provider: CapabilityInfo) -> None:
        """Tell once that more wait for a provider than it allows."""
        if not self._noted:
            self._noted = True
            self._write("CAPACITY_CONSTRAINED", f"{self.sending.use.name}: {_named(provider)} is constrained")

    async def note_late(self, provider: CapabilityInfo, accepted: TaskAccepted, request: WorkRequest) -> None:
        expected = format_duration(accepted.estimated_completion)
        left = format_duration(request.deadline)
        message = f"{self.sending.use.name}: {_named(provider)} expects to take {expected}, and has {left}"
        self._write("late", message)
        await self.tell(message)

    def _write(self, kind: str, message: str) -> None:
        Ledger(self.workplace.events, self.workplace.name, self.sending.parent).write(kind, message=message)


@dataclass(slots=True, eq=False)
class Doubts:
    """What one acceptance makes of the wait. Implements `runner.bus.caller.Doubts`."""

    asking: Asking
    provider: CapabilityInfo
    request: WorkRequest
    found: bool
    verdict: Verdict = Verdict.GO_ON

    def has(self, accepted: TaskAccepted) -> bool:
        return bool(accepted.constrained) or self._is_late(accepted)

    async def settle(self, accepted: TaskAccepted) -> bool:
        asking, use = self.asking, self.asking.sending.use
        if accepted.constrained:
            asking.note_constrained(self.provider)
            self.verdict = of_constrained(use.on_constrained)
        if self.verdict is Verdict.GO_ON and self._is_late(accepted):
            await asking.note_late(self.provider, accepted, self.request)
            others = asking.other(self.provider) is not None or asking.fallback() is not None
            self.verdict = of_late(use.on_late_eta, others=others)
        return self.found and self.verdict is not Verdict.GO_ON

    def _is_late(self, accepted: TaskAccepted) -> bool:
        return is_late(accepted, self.request.expires_at, datetime.now(UTC))


def result_of(response: WorkResponse, provider: CapabilityInfo) -> JsonValue:
    """The result of a completed call. Raises CallFailed with the provider's own code otherwise."""
    if response.status is not Status.COMPLETED:
        raise _failed(response, provider)
    if why := unsound(response.result):
        raise CallFailed(f"the result of {_named(provider)} cannot be carried on: {why}", code=Code.INVALID_RESPONSE)
    return response.result


def _failed(response: WorkResponse, provider: CapabilityInfo) -> CallFailed:
    error = response.error
    if error is None:
        return CallFailed(f"{_named(provider)} ended {response.status}", code=Code.INVALID_RESPONSE)
    return CallFailed(error.message, code=error.code, hint=error.hint or f"from {_named(provider)}")


def _partial(response: WorkResponse) -> JsonValue:
    """What was finished: outputs by step, or null."""
    return dict(response.partial) if response.partial else None


def _named(provider: CapabilityInfo) -> str:
    return f"{provider.provider}/{provider.name}"
