"""From the events of a trace to its spans: whole reports, as the waterfall would read them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from runner.client.trace import trace_report
from runner.event import Event

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
TRACE = "0af7651916cd43dd8448eb211c80319c"


def event(
    kind: str,
    span: str | None,
    at: float,
    *,
    parent: str | None = None,
    ms: float | None = None,
    status: str | None = None,
) -> Event:
    """Something that happened to `span` so many milliseconds after noon; spans are called after who they are of."""
    return Event(
        kind=kind,
        at=NOON + timedelta(milliseconds=at),
        ensemble=(span or "kitchen").partition("/")[0],
        request_id="r1",
        trace_id=TRACE,
        span_id=span,
        parent_id=parent,
        name=span,
        duration_ms=ms,
        status=status,
    )


def told(*events: Event) -> list[str]:
    """Each span on a line: parent > span, where it starts, how long it takes, how it ended."""
    return [
        f"{span.parent_id or ''} > {span.name} @{(span.start - NOON) / timedelta(milliseconds=1):g}"
        f" {'…' if span.duration_ms is None else f'+{span.duration_ms:g}'} {span.status}"
        for span in trace_report(TRACE, events).spans
    ]


WHOLE = (
    event("accepted", "desk/order", 0, parent="caller"),
    event("started", "desk/order", 0, parent="caller"),
    event("accepted", "kitchen/cook", 5, parent="meal"),
    event("started", "kitchen/cook", 5, parent="meal"),
    event("step", "stove", 7, parent="kitchen/cook", ms=3, status="COMPLETED"),
    event("completed", "kitchen/cook", 11, parent="meal", ms=6, status="COMPLETED"),
    event("step", "meal", 3, parent="desk/order", ms=9, status="COMPLETED"),
    event("completed", "desk/order", 14, parent="caller", ms=14, status="COMPLETED"),
)
WHOLE_TOLD = [
    " > desk/order @0 +14 COMPLETED",
    "desk/order > meal @3 +9 COMPLETED",
    "meal > kitchen/cook @5 +6 COMPLETED",
    "kitchen/cook > stove @7 +3 COMPLETED",
]


def test_a_request_its_steps_and_what_they_delegate_are_a_tree_by_start() -> None:
    """Of the caller's own span nobody told, so the root has no parent."""
    assert told(*WHOLE) == WHOLE_TOLD


@pytest.mark.parametrize("seed", range(10))
def test_events_may_come_in_any_order(seed: int) -> None:
    shuffled = list(WHOLE)
    random.Random(seed).shuffle(shuffled)
    assert told(*shuffled) == WHOLE_TOLD


@pytest.mark.parametrize(
    ("events", "spans"),
    [
        ((), []),
        ([event("accepted", "desk/order", 0)], [" > desk/order @0 … RUNNING"]),
        ([event("accepted", "desk/order", 0), event("started", "desk/order", 4)], [" > desk/order @0 … RUNNING"]),
        # a tool call tells of its end only: it started that much before
        ([event("completed", "desk/count", 9, ms=4, status="COMPLETED")], [" > desk/count @5 +4 COMPLETED"]),
        ([event("failed", "desk/order", 9, ms=4, status="FAILED")], [" > desk/order @5 +4 FAILED"]),
        ([event("rejected", "desk/order", 9, ms=0, status="REJECTED")], [" > desk/order @9 +0 REJECTED"]),
        ([event("expired", "desk/order", 9, ms=9, status="EXPIRED")], [" > desk/order @0 +9 EXPIRED"]),
        ([event("cancelled", "desk/order", 9, ms=1, status="CANCELLED")], [" > desk/order @8 +1 CANCELLED"]),
        ([event("step", "chop", 1, ms=2, status="FAILED")], [" > chop @1 +2 FAILED"]),
        ([event("step", "chop", 1, ms=0, status="SKIPPED")], [" > chop @1 +0 SKIPPED"]),
        # a parent that told nothing is none
        ([event("step", "chop", 1, parent="desk/order", ms=2, status="COMPLETED")], [" > chop @1 +2 COMPLETED"]),
        # what is of no request, or no span, is no part of it
        ([event("reload", None, 0), event("reload", "desk/order", 0)], []),
        # side by side: by start, then by name of the span
        (
            [event("step", "b", 1, ms=1, status="COMPLETED"), event("step", "a", 1, ms=1, status="COMPLETED")],
            [" > a @1 +1 COMPLETED", " > b @1 +1 COMPLETED"],
        ),
    ],
)
def test_spans(events: list[Event], spans: list[str]) -> None:
    assert told(*events) == spans


def test_a_request_that_was_worked_on_twice_is_one_span() -> None:
    report = trace_report(
        TRACE,
        [
            event("accepted", "desk/order", 0),
            event("started", "desk/order", 0),
            event("accepted", "desk/order", 50),
            event("completed", "desk/order", 60, ms=10, status="COMPLETED"),
        ],
    )
    assert [(span.name, span.start, span.status) for span in report.spans] == [("desk/order", NOON, "COMPLETED")]
