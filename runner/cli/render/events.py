"""Events as lines."""

from __future__ import annotations

from datetime import datetime, timedelta

from runner.cli.render.style import paint, visible
from runner.event import Event

_COLOURS = {"COMPLETED": "green", "FAILED": "red", "REJECTED": "red", "EXPIRED": "red", "CANCELLED": "yellow"}
_SHORT_ID = 12
_STEP = "step"


def line(event: Event, *, colour: bool = False) -> str:
    """`14:02:31.123  kitchen  completed  prepare-meal  COMPLETED in 41 ms  from room-service  8f3a…`, in UTC."""
    parts = [
        paint(_clock(happened(event)), "dim", colour=colour),
        paint(f"{visible(event.ensemble):<14}", "bold", colour=colour),
        f"{visible(event.kind):<10}",
        visible(_what(event)),
        _outcome(event, colour),
        visible(f"from {event.caller}") if event.caller else "",
        paint(_short(visible(event.request_id)), "dim", colour=colour) if event.request_id else "",
        visible(event.message or ""),
    ]
    return "  ".join(part for part in parts if part).rstrip()


def happened(event: Event) -> datetime:
    """When it happened: a step's event says when the step began and how long it took, and is told at its end."""
    if event.kind == _STEP and event.duration_ms is not None:
        return event.at + timedelta(milliseconds=event.duration_ms)
    return event.at


def _clock(moment: datetime) -> str:
    return moment.strftime("%H:%M:%S.") + f"{moment.microsecond // 1000:03d}"


def _what(event: Event) -> str:
    """The capability, and the step in it if it is about one."""
    whole = {None, event.capability, f"{event.ensemble}/{event.capability}"}
    if event.capability and event.name not in whole:
        return f"{event.capability}: {event.name}"
    return event.capability or event.name or ""


def _outcome(event: Event, colour: bool) -> str:
    took = "" if event.duration_ms is None else f"in {event.duration_ms:,.0f} ms"
    status = event.status and paint(visible(event.status), _COLOURS.get(event.status, "yellow"), colour=colour)
    return " ".join(filter(None, [status, took]))


def _short(request_id: str) -> str:
    return request_id if len(request_id) <= _SHORT_ID else request_id[:_SHORT_ID] + "…"
