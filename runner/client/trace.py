"""From the events of a trace to its spans."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from runner.event import Event
from runner.reports import SpanReport, TraceReport
from runner.work import Status

RUNNING = "RUNNING"
_ENDED = frozenset({"moved", *(status.lower() for status in Status)})


def trace_report(trace_id: str, events: Iterable[Event]) -> TraceReport:
    """The spans of one trace, by start. A request that has not ended is RUNNING; a parent nobody told of is None."""
    spans: dict[str, SpanReport] = {}
    for event in sorted(events, key=lambda e: e.at):
        if event.span_id is not None and (span := _span(event, spans.get(event.span_id))):
            spans[event.span_id] = span
    placed = (
        span if span.parent_id in spans else span.model_copy(update={"parent_id": None}) for span in spans.values()
    )
    return TraceReport(trace_id=trace_id, spans=tuple(sorted(placed, key=lambda s: (s.start, s.span_id))))


def _span(event: Event, known: SpanReport | None) -> SpanReport | None:
    if event.kind == "step":
        return _report(event, event.duration_ms, event.status or RUNNING)
    if event.kind in _ENDED and event.duration_ms is not None:
        ended = _report(event, event.duration_ms, event.status or RUNNING)
        started = event.at - timedelta(milliseconds=event.duration_ms)
        return ended.model_copy(update={"start": known.start if known else started})
    if event.kind in ("accepted", "started"):
        return known or _report(event, None, RUNNING)
    return known


def _report(event: Event, duration_ms: float | None, status: str) -> SpanReport:
    return SpanReport(
        span_id=event.span_id or "",
        parent_id=event.parent_id,
        name=event.name or event.kind,
        ensemble=event.ensemble,
        start=event.at,
        duration_ms=duration_ms,
        status=status,
    )
