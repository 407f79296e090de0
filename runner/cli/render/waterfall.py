"""A trace as a waterfall: one line a span, indented under who asked, with a bar on the common time axis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from runner.cli.render.style import cells, counted, padded, paint, visible
from runner.reports import SpanReport, TraceReport

WIDTH = 110
_COLOURS = {"COMPLETED": "green", "RUNNING": "yellow", "RETRYING": "yellow", "CANCELLED": "yellow", "SKIPPED": "dim"}
_LEAST_BAR = 12


def waterfall(report: TraceReport, *, width: int = WIDTH, colour: bool = False) -> str:
    """The whole trace as text, ending without a line break. A span that has not ended reaches to the end."""
    if not report.spans:
        return f"trace {visible(report.trace_id)}: nothing recorded"
    start = min(span.start for span in report.spans)
    whole = max(_end(span) for span in report.spans) - start
    ensembles = {span.span_id: span.ensemble for span in report.spans}
    rows = [(_label(span, depth, ensembles), span) for depth, span in in_tree_order(report.spans)]
    label_width = max(cells(label) for label, _ in rows)
    bar_width = max(_LEAST_BAR, width - label_width - 26)
    heading = f"trace {visible(report.trace_id)}: {counted(len(rows), 'span')} in {_milliseconds(whole)}"
    lines = [
        f"{padded(label, label_width)}  {_status(span, colour)} {_took(span):>11} "
        f"|{_bar(span, start, whole, bar_width)}|"
        for label, span in rows
    ]
    return "\n".join([heading, "", *lines])


def in_tree_order(spans: tuple[SpanReport, ...]) -> Iterator[tuple[int, SpanReport]]:
    """Every span once with its depth: children under their parent, siblings by start. An orphan is a root."""
    known = {span.span_id for span in spans}
    children: dict[str | None, list[SpanReport]] = {}
    for span in sorted(spans, key=lambda s: (s.start, s.span_id)):
        children.setdefault(span.parent_id if span.parent_id in known else None, []).append(span)
    shown: set[str] = set()
    roots = [*children.get(None, []), *sorted(spans, key=lambda s: (s.start, s.span_id))]  # the rest are in a ring
    for root in roots:
        waiting = [(0, root)]
        while waiting:
            depth, span = waiting.pop()
            if span.span_id not in shown:
                shown.add(span.span_id)
                yield depth, span
                waiting += [(depth + 1, child) for child in reversed(children.get(span.span_id, []))]


def _label(span: SpanReport, depth: int, ensembles: Mapping[str, str]) -> str:
    """`kitchen/prepare-meal` for a capability; for a step in it, its name alone."""
    known = span.name.startswith(f"{span.ensemble}/") or ensembles.get(span.parent_id or "") == span.ensemble
    return "  " * depth + visible(span.name if known else f"{span.ensemble}  {span.name}")


def _status(span: SpanReport, colour: bool) -> str:
    return paint(f"{visible(span.status):<9}", _COLOURS.get(span.status, "red"), colour=colour)


def _took(span: SpanReport) -> str:
    return "running" if span.duration_ms is None else _milliseconds(timedelta(milliseconds=span.duration_ms))


def _bar(span: SpanReport, start: datetime, whole: timedelta, width: int) -> str:
    if not whole:
        return "█" * width
    first = min(width - 1, int((span.start - start) / whole * width))
    end = start + whole if span.duration_ms is None else _end(span)
    last = min(width, max(first + 1, round((end - start) / whole * width)))
    return " " * first + "█" * (last - first) + " " * (width - last)


def _end(span: SpanReport) -> datetime:
    return span.start + timedelta(milliseconds=span.duration_ms or 0)


def _milliseconds(duration: timedelta) -> str:
    amount = duration / timedelta(milliseconds=1)
    return f"{amount:,.1f} ms" if amount < 10_000 else f"{amount / 1000:,.1f} s"
