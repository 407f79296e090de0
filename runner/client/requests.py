"""The requests that were made of a network, found by their id: what became of each, and what can still be done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from runner.bus.caller import Caller
from runner.bus.payloads import OPEN_PATIENCE, Payloads
from runner.client.names import parts, unknown
from runner.client.pages import whole
from runner.errors import NotRunning, UsageProblem
from runner.reports import (
    CALLERS,
    REQUESTS,
    PageRequest,
    PriorityReport,
    PriorityRequest,
    RequestReport,
    RetryReport,
)
from runner.work import Priority, Standing, WorkResponse

POLL_SECONDS = (0.05, 1.0)
"""First and longest pause between two looks at a pending request."""


class Requests:
    """Of one client, which may ask for those of others too: an id is `ID` or `CALLER/ID`.

    `ask` takes a verb and a body, and raises NotRunning where no runner answers. Methods raise UsageProblem for an id
    that is none, that nobody knows or that several callers used.
    """

    def __init__(self, caller: Caller, payloads: Payloads, ask: Callable[[str, bytes], Awaitable[bytes]]) -> None:
        self._caller = caller
        self._payloads = payloads
        self._ask = ask

    async def listed(self, state: str | None) -> tuple[RequestReport, ...]:
        """Every task that is pending or whose outcome is kept; with `state`, in any case, only those in it."""
        return await whole("requests", REQUESTS, PageRequest(state=state.upper() if state else None), self._ask)

    async def result(self, request_id: str, *, wait: bool, timeout: float | None) -> WorkResponse | Standing:
        """The outcome; or where it stands, at once or once its deadline or `timeout` seconds have passed."""
        caller, request_id = await self._whose(request_id)
        give_up = None if timeout is None else datetime.now(UTC) + timedelta(seconds=timeout)
        pause, longest = POLL_SECONDS
        while True:
            standing = await self._caller.standing(request_id, caller=caller)
            if standing is not None and standing.response is not None:
                return await self._payloads.unpacked_response(standing.response, datetime.now(UTC) + OPEN_PATIENCE)
            if standing is not None and standing.status == "UNKNOWN":
                raise unknown(request_id)
            standing = standing or Standing(request_id=request_id, status="PENDING")
            ends = min((at for at in (give_up, standing.expires_at) if at), default=None)
            if not wait or (ends is not None and datetime.now(UTC) >= ends):
                return standing
            await asyncio.sleep(pause)
            pause = min(longest, pause * 1.5)

    async def cancel(self, request_id: str) -> Standing:
        """Where it stands once whoever has it was asked to stop. Raises NotRunning where nobody answers."""
        caller, request_id = await self._whose(request_id)
        standing = await self._caller.cancel("_any", request_id, caller=caller)
        if standing is None:
            raise NotRunning
        return standing

    async def retry(self, request_id: str) -> RetryReport:
        """A dead letter is queued again. Raises UsageProblem for one that is not dead, and where the queue refuses."""
        parts(request_id)
        report = RetryReport.model_validate_json(await self._ask("retry", request_id.encode()))
        if report.error is not None:
            raise UsageProblem(report.error.message, code=report.error.code, hint=report.error.hint)
        return report

    async def prioritize(self, request_id: str, priority: str) -> PriorityReport:
        """It waits with another priority. Raises UsageProblem for one that waits no longer, or has no room there."""
        wanted = Priority.__members__.get(priority.upper())
        if wanted is None:
            names = ", ".join(level.lower() for level in Priority)
            raise UsageProblem(f"there is no priority {priority!r}", hint=f"one of {names}")
        caller, own_id = await self._whose(request_id)
        asked = PriorityRequest(caller=caller, request_id=own_id, priority=wanted)
        answer = await self._ask("prioritize", asked.model_dump_json().encode())
        report = PriorityReport.model_validate_json(answer)
        if report.error is not None:
            raise UsageProblem(report.error.message, code=report.error.code, hint=report.error.hint)
        return report

    async def _whose(self, request_id: str) -> tuple[str, str]:
        """(caller, id)."""
        caller, own_id = parts(request_id)
        if caller is not None:
            return caller, own_id
        callers = CALLERS.validate_json(await self._ask("callers", own_id.encode()))
        if not callers:
            raise unknown(request_id)
        if len(callers) > 1:
            either = " or ".join(f"{one}/{request_id}" for one in callers)
            raise UsageProblem(f"several callers used the id {request_id}", hint=f"say {either}")
        return callers[0], request_id
