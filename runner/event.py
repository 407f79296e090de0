"""One line of what happened in the network: audit, trace and the terminal read it."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from runner.work import Wire


class Event(Wire):
    """One line of the event stream: something happened to a request, or to an ensemble.

    `span_id` and `parent_id` place it in the trace; `duration_ms` is set where the event ends a span.
    """

    kind: str
    at: datetime
    ensemble: str
    request_id: str | None = None
    caller: str | None = Field(default=None, alias="from")
    capability: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_id: str | None = None
    name: str | None = None
    status: str | None = None
    duration_ms: float | None = None
    message: str | None = None
