"""Who answers a request in place of the ensemble that has it, and what that one is sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import JsonValue

from runner.capability import CapabilityInfo
from runner.errors import CallFailed
from runner.host.child_request import key_of, limits_of, need_of, spent, under
from runner.host.resolving import nobody
from runner.host.workplace import Workplace
from runner.lineage import turn_of
from runner.model import Use
from runner.soundness import unsound
from runner.work import Authority, CapabilityType, Code, WorkRequest, span_of


@dataclass(frozen=True, slots=True)
class Successor:
    """`request` is what `provider` gets: the caller's own in all but what is asked of it."""

    provider: str
    request: WorkRequest


def successor(workplace: Workplace, request: WorkRequest, capability: str, name: str, input: JsonValue) -> Successor:
    """Resolve a hand-off through a use of the ensemble. Raises CallFailed."""
    use = workplace.ensemble.uses.get(name)
    if use is None:
        hint = f"add it under `uses:` of {workplace.name}"
        raise CallFailed(f"{workplace.name} has no use called {name!r}", code=Code.NOT_WIRED, hint=hint)
    if why := unsound(input):
        raise CallFailed(f"the input for {name} cannot be carried: {why}", code=Code.INVALID_INPUT)
    here, now = f"{workplace.name}/{capability}", datetime.now(UTC)
    occasion = workplace.resolving.occasion(
        use, key_of(use, request, input), (request.expires_at - now).total_seconds()
    )
    choice = workplace.resolving.choice(use, occasion, limits_of(request, use, here), tasks_only=True)
    if choice.chosen is None or choice.chosen.capability.type is CapabilityType.TOOL:
        raise nobody(use, choice, workplace.desk.discovery_away)
    return Successor(choice.chosen.provider, handed_on(request, use, choice.chosen.capability, here, input, now))


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
