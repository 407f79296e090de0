"""The request that a use sends on: everything that must be handed on is, and the deadline only ever shrinks. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import JsonValue

from runner.assignment import Place
from runner.capability import CapabilityInfo
from runner.lineage import turn_of
from runner.model import Discovery, Use
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
            chain=(*parent.chain, f"{self.ensemble}/{self.capability}"),
            budget=spent(parent.budget, use.max_hops),
            generation=self.generation if parent.generation is None else parent.generation,
            submitted_at=now,
        )


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
