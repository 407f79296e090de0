"""The events of one request at one provider: what audit, trace and the terminal read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from runner.assignment import Place
from runner.bus.events import Events
from runner.event import Event
from runner.host.step_ends import StepStatus
from runner.lineage import turn_of
from runner.work import WorkRequest, WorkResponse, span_of


@dataclass(frozen=True, slots=True)
class Ledger:
    """Writes the events of `request`, worked on by `ensemble`/`capability`. Its span hangs under the caller's."""

    events: Events
    ensemble: str
    request: WorkRequest

    def write(
        self,
        kind: str,
        *,
        status: str | None = None,
        duration_ms: float | None = None,
        message: str | None = None,
        once: str | None = None,
    ) -> None:
        """Something happened to the request as a whole. Of what is `once` the same one is kept, whoever writes it."""
        making = partial(self._event, kind, (), datetime.now(UTC), status, duration_ms, message)
        self.events.write(making, once=once)

    def end(self, response: WorkResponse) -> None:
        """The request has its outcome."""
        message = f"{response.error.code}: {response.error.message}" if response.error else None
        self.write(response.status.lower(), status=response.status, duration_ms=response.duration_ms, message=message)

    def step(
        self, place: Place, started_at: datetime, duration_ms: float, status: StepStatus, message: str | None
    ) -> None:
        """A step ended. Its span hangs under the request's; what it delegated and its attempts hang under it."""
        self.events.write(partial(self._event, "step", place, started_at, status, duration_ms, message))

    def _event(
        self,
        kind: str,
        place: Place,
        at: datetime,
        status: str | None,
        duration_ms: float | None,
        message: str | None,
    ) -> Event:
        """Of the request as a whole where `place` is none."""
        request = self.request
        above = place[:1] if len(place) > 1 else ()
        return Event(
            kind=kind,
            at=at,
            ensemble=self.ensemble,
            request_id=request.request_id,
            caller=request.caller,
            capability=request.task,
            trace_id=request.trace_context.trace_id,
            span_id=self._span(*place),
            parent_id=self._span(*above) if place else request.trace_context.span_id,
            name=" ".join(map(str, place)) if place else f"{self.ensemble}/{request.task}",
            status=status,
            duration_ms=duration_ms,
            message=message,
        )

    def _span(self, *place: str | int) -> str:
        """The same for the same work, however often it is done."""
        request = self.request
        return span_of(request.caller, request.request_id, *turn_of(request), *place)
