"""A plan as the document that is printed with `--json`."""

from __future__ import annotations

from collections.abc import Iterator

from runner.plan.actions import AnyAction, Drain, Grant, Revoke, Rewire, Start, Stop, Update
from runner.plan.changes import Change
from runner.plan.plan import Plan
from runner.reports import ChangeReport, PlanReport, StepReport


def report_of(plan: Plan) -> PlanReport:
    """Its steps in order; what is granted and revoked on the way goes without saying."""
    return PlanReport(
        hash=plan.hash,
        generation=plan.generation,
        steps=tuple(step for action in plan.actions for step in _steps(action)),
        changes=tuple(_change(change) for change in plan.changes),
    )


def _steps(action: AnyAction) -> Iterator[StepReport]:
    name, cause, in_flight, queued = action.ensemble, action.cause, action.in_flight, action.queued
    load = {"ensemble": name, "cause": cause, "in_flight": in_flight, "queued": queued}
    match action:
        case Start():
            yield StepReport(action="start", **load)
        case Update():
            yield StepReport(action="update", **load)
        case Drain(on_remove=on_remove):
            yield StepReport(action="drain", **load, on_remove=on_remove.value)
        case Stop():
            yield StepReport(action="stop", **load)
        case Rewire(edge=edge, added=added):
            yield StepReport(action="rewire", **load, use=edge.use, target=edge.target, added=added)
        case Grant() | Revoke():
            pass


def _change(change: Change) -> ChangeReport:
    return ChangeReport(
        ensemble=change.ensemble,
        path=change.key,
        before=change.before,
        after=change.after,
        field_class=change.field_class,
    )
