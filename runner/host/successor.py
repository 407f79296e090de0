"""Who answers a request in place of the ensemble that has it, and what that one is sent."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from pydantic import JsonValue

from runner.capability import CapabilityInfo
from runner.errors import CallFailed
from runner.host.child_request import key_of, limits_of, need_of, spent, under
from runner.host.resolving import nobody
from runner.host.workplace import Workplace
from runner.lineage import turn_of
from runner.model import Discovery, HandoffStep, StaticTarget, Use
from runner.routing.choice import Choice, Limits
from runner.routing.strategy import Occasion
from runner.routing.wiring import fallback
from runner.soundness import unsound
from runner.templates import TemplateProblem
from runner.work import Authority, CapabilityType, Code, Record, WorkRequest, span_of


@dataclass(frozen=True, slots=True)
class Successor:
    """`request` is what `provider` gets: the caller's own in all but what is asked of it."""

    provider: str
    request: WorkRequest
    line: Line

    def __str__(self) -> str:
        return f"{self.provider}/{self.request.task}"

    def following(self, why: str) -> Successor | None:
        """Who comes after it, which did not take the request."""
        return self.line.following(self, why)


@dataclass(slots=True, eq=False)
class Line:
    """Those whom a request may be handed to through one use, one after the other: whoever meets it, then its fallback.

    `here` is the `ensemble/capability` that hands off.
    """

    workplace: Workplace
    request: WorkRequest
    here: str
    use: Use
    input: JsonValue
    _found_for: Occasion | None = None
    _limits: Limits = field(init=False)
    _is_over: bool = False
    """The fallback was asked."""

    def __post_init__(self) -> None:
        self._limits = limits_of(self.request, self.use, self.here)

    async def first(self) -> Successor:
        """Raises CallFailed where there is nobody, TemplateProblem where the use's `key` cannot be made."""
        choice = await self.workplace.resolving.found(self.use, self._occasion(), self._limits, tasks_only=True)
        found = _task(choice)
        successor = self._handed_on(found, self.use) if found is not None else self._fallback()
        if successor is None:
            raise nobody(self.use, choice, self.workplace.desk.discovery_away)
        return successor

    def following(self, refused: Successor, why: str) -> Successor | None:
        """Who is asked in place of one that did not take the request; None where it is nobody, or too late."""
        if self._is_over or datetime.now(UTC) >= refused.request.expires_at:
            return None
        found = None
        if isinstance(self.use.target, Discovery):
            self._limits = replace(self._limits, tried={**self._limits.tried, str(refused): why})
            with suppress(TemplateProblem):  # what its `key` goes by is not at hand: then the fallback is
                found = _task(self._choice())
        return self._handed_on(found, self.use) if found is not None else self._fallback()

    def _choice(self) -> Choice:
        return self.workplace.resolving.choice(self.use, self._occasion(), self._limits, tasks_only=True)

    def _occasion(self) -> Occasion:
        if self._found_for is None:
            left, key = self.request.expires_at - datetime.now(UTC), key_of(self.use, self.request, self.input)
            self._found_for = self.workplace.resolving.occasion(self.use, key, left.total_seconds())
        return self._found_for

    def _fallback(self) -> Successor | None:
        """A tool is none: it takes over no work."""
        self._is_over = True
        named = fallback(self.use, self.workplace.declared)
        if named is None or named.type is CapabilityType.TOOL:
            return None
        return self._handed_on(named, replace(self.use, target=StaticTarget(named.provider, named.name)))

    def _handed_on(self, provider: CapabilityInfo, use: Use) -> Successor:
        now = datetime.now(UTC)
        return Successor(provider.provider, handed_on(self.request, use, provider, self.here, self.input, now), self)


def _task(choice: Choice) -> CapabilityInfo | None:
    """Who was chosen; a tool that was named takes over no work."""
    found = choice.chosen.capability if choice.chosen is not None else None
    return found if found is not None and found.type is CapabilityType.TASK else None


async def successor(
    workplace: Workplace, request: WorkRequest, capability: str, name: str, input: JsonValue
) -> Successor:
    """Resolve a hand-off through a use of the ensemble. Raises CallFailed."""
    use = workplace.ensemble.uses.get(name)
    if use is None:
        hint = f"add it under `uses:` of {workplace.name}"
        raise CallFailed(f"{workplace.name} has no use called {name!r}", code=Code.NOT_WIRED, hint=hint)
    if why := unsound(input):
        raise CallFailed(f"the input for {name} cannot be carried: {why}", code=Code.INVALID_INPUT)
    return await Line(workplace, request, f"{workplace.name}/{capability}", use, input).first()


def successor_again(workplace: Workplace, request: WorkRequest, record: Record) -> Successor | None:
    """The one that the record says the request was handed to, with whoever comes after it; None where no use of the
    task leads there any more."""
    moved, task = record.moved, workplace.ensemble.tasks.get(request.task)
    if moved is None or task is None:
        return None
    names = (step.use for step in task.steps if isinstance(step, HandoffStep))
    uses = [use for name in names if (use := workplace.ensemble.uses.get(name)) is not None]
    for use in uses:
        if need_of(use) == moved.need and (moved.need is not None or _names(use, record)):
            line = Line(workplace, request, f"{workplace.name}/{request.task}", use, moved.context)
            return Successor(record.provider, moved, line)
    return None


def _names(use: Use, record: Record) -> bool:
    return use.target == StaticTarget(record.provider, record.task)


def handed_on(
    request: WorkRequest, use: Use, provider: CapabilityInfo, here: str, context: JsonValue, now: datetime
) -> WorkRequest:
    """The request as the next provider gets it. Id, caller, delivery and submission stay: it is the same request.

    The deadline never grows, nor does the authority that was asked for shrink. Pure.
    """
    deadline = request.deadline
    if use.deadline is not None:
        deadline = min(deadline, max(deadline * 0, now - request.submitted_at) + use.deadline)
    span = span_of(request.caller, request.request_id, *turn_of(request))
    return request.model_copy(
        update={
            "task": provider.name,
            "context": context,
            "priority": use.priority or request.priority,
            "deadline": deadline,
            "authority": max(use.authority, request.authority, key=_rank),
            "need": need_of(use),
            "chain": (*request.chain, here),
            "budget": spent(request.budget, use.max_hops),
            "trace_context": under(request.trace_context, span),
        }
    )


def _rank(authority: Authority) -> int:
    return authority.rank
