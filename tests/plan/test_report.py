"""A plan as a document."""

from __future__ import annotations

from typing import Any

from runner.plan.observed import Running
from runner.plan.report import report_of
from tests.support.plans import network, planned

SERVED: dict[str, Any] = {"share": True, "steps": [{"template": "done"}]}


def test_a_document_has_the_steps_in_order_and_nothing_of_leave() -> None:
    before = network({"bar": {"tasks": {"mix": SERVED}}, "desk": {"uses": {"drink": "bar/mix"}}})
    after = network({"bar": {"tasks": {"mix": SERVED}}}, defaults={"max_hops": 3})
    report = report_of(planned(before, after, running={"desk": Running(2, 1)}))
    assert [step.model_dump(exclude_none=True) for step in report.steps] == [
        {"action": "update", "cause": "defaults.max_hops 16 → 3 (live)", "in_flight": 0, "queued": 0},
        {
            "action": "rewire",
            "ensemble": "desk",
            "cause": "desk is removed",
            "in_flight": 2,
            "queued": 1,
            "use": "drink",
            "target": "bar/mix",
            "added": False,
        },
        {
            "action": "drain",
            "ensemble": "desk",
            "cause": "removed from the file",
            "in_flight": 2,
            "queued": 1,
            "on_remove": "hold",
        },
        {"action": "stop", "ensemble": "desk", "cause": "removed from the file", "in_flight": 2, "queued": 1},
    ]
    assert [(change.ensemble, change.path, change.field_class) for change in report.changes] == [
        (None, "defaults.max_hops", "live")
    ]
