"""What happened in a network, read from where it is kept: event by event, or put together as a trace."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from runner.bus.away import AWAY
from runner.bus.events import Events
from runner.client.names import parts, unknown
from runner.client.trace import trace_report
from runner.errors import NotRunning, UsageProblem
from runner.event import Event
from runner.reports import TraceReport
from runner.work import REQUEST_ID_PATTERN


class EventLog:
    """Of the network called `network`. Methods raise NotRunning where no server answers."""

    def __init__(self, events: Events, network: str) -> None:
        self._events = events
        self._network = network

    async def read(
        self,
        *,
        follow: bool = False,
        trace: str | None = None,
        request_id: str | None = None,
        ensemble: str | None = None,
    ) -> AsyncIterator[Event]:
        """The events that meet all that is said, oldest first; with `follow`, and those to come.

        Raises UsageProblem for what is no id or name.
        """
        for name, token in (("trace", trace), ("request_id", request_id), ("ensemble", ensemble)):
            if token is not None and not re.fullmatch(REQUEST_ID_PATTERN, token):
                raise UsageProblem(f"{token!r} is no {name.replace('_', ' ')}")
        chosen = {"trace": trace or "*", "request_id": request_id or "*", "ensemble": ensemble or "*"}
        try:
            async for event in self._events.follow(**chosen) if follow else self._events.read(**chosen):
                yield event
        except AWAY as problem:
            raise NotRunning(f"the events of {self._network} cannot be read: no server answers") from problem

    async def trace(self, id: str) -> TraceReport:
        """The spans of a trace, by its id or by that of a request in it. Raises UsageProblem where there is none."""
        trace_id = await self._trace_of(id) or id
        report = trace_report(trace_id, [event async for event in self.read(trace=trace_id)])
        if not report.spans:
            raise unknown(id)
        return report

    async def _trace_of(self, request_id: str) -> str | None:
        caller, own_id = parts(request_id)
        async for event in self.read(request_id=own_id):
            if event.trace_id and caller in (None, event.caller):
                return event.trace_id
        return None
