"""The request that a use sends on: everything that must be handed on is, and the deadline only ever shrinks. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import JsonValue

from runner.assignment import Place
from runner.capability import CapabilityInfo
from runner.lineage import turn_of
from runner.model import Discovery, Use
from runner.routing.choice import Limits
from runner.templates import rendered
from runner.work import Budget, Need, TraceContext, WorkRequest, child_id, span_of


@dataclass(frozen=True, slots=True)
class Sending:
    """One use of `ensemble`/`capability` for `parent`, at a place in its work. A tool has no spans within it."""

    parent: WorkRequest
    ensemble: str
    capability: str
    is_task: bool
    use: Use
    context: JsonValue
    generation: int | None = None
    """By which applied configuration the ensemble works on it."""

    @property
    def here(self) -> str:
        return f"{self.ensemble}/{self.capability}"

    @property
    def key(self) -> str:
        """What the use's `key` makes of it. Raises TemplateProblem."""
        return key_of(self.use, self.parent, self.context)

    def request(
        self, provider: CapabilityInfo, place: Place, *, expires_at: datetime, now: datetime, found: bool
    ) -> WorkRequest:
        """What is sent to a provider, `found` by the use's own need or named by its fallback."""
        parent, use = self.parent, self.use
        here = (parent.caller, parent.request_id, *turn_of(parent))
        return WorkRequest(
            request_id=child_id(*here, *place),
            caller=self.ensemble,
            task=provider.name,
            context=self.context,
            priority=use.priority or parent.priority,
            deadline=max(expires_at - now, timedelta(0)),
            delivery=use.delivery,
            trace_context=under(parent.trace_context, span_of(*here, *(place[:1] if self.is_task else ()))),
            authority=use.authority,
            scope=parent.scope,
            need=need_of(use) if found else None,
            dedupe=use.dedupe,
            chain=(*parent.chain, self.here),
            budget=spent(parent.budget, use.max_hops),
            generation=self.generation if parent.generation is None else parent.generation,
            submitted_at=now,
        )


def key_of(use: Use, request: WorkRequest, input: JsonValue) -> str:
    """What a use's `key` makes of what is sent for a request; empty where it has none. Raises TemplateProblem."""
    key = use.target.key if isinstance(use.target, Discovery) else None
    if key is None:
        return ""
    value = rendered(key, {"request": request.told(), "context": request.context, "input": input})
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def limits_of(parent: WorkRequest, use: Use, here: str) -> Limits:
    """What keeps what a request sends on from `here` from a provider, whoever that is."""
    may_come_back = use.max_hops is not None or (parent.budget is not None and parent.budget.hops is not None)
    return Limits(parent.scope, () if may_come_back else (*parent.chain, here))


def need_of(use: Use) -> Need | None:
    """What a discovered use is for, whoever meets it; None for one that names its provider."""
    return Need(name=use.target.name, tags=use.target.tags) if isinstance(use.target, Discovery) else None


def under(trace: TraceContext, span: str) -> TraceContext:
    """The same trace, within this span."""
    return TraceContext(traceparent=f"00-{trace.trace_id}-{span}-01", tracestate=trace.tracestate)


def spent(budget: Budget | None, max_hops: int | None) -> Budget | None:
    """One hop less; a use's own `max_hops` narrows or opens the count."""
    left = None if budget is None or budget.hops is None else budget.hops - 1
    hops = max_hops if left is None else left if max_hops is None else min(left, max_hops)
    if budget is None:
        return None if hops is None else Budget(hops=hops)
    return budget.model_copy(update={"hops": hops})
