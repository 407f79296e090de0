"""A running network as its clients see it: call, result, cancel, and what there is to know."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import JsonValue, TypeAdapter

from runner.bus.caller import Caller, Hints
from runner.bus.connection import Connection
from runner.bus.events import Events
from runner.bus.failures import failure
from runner.bus.questions import Questions
from runner.client.request import request_for
from runner.client.targets import Target, resolve
from runner.client.trace import trace_report
from runner.errors import NotRunning, UsageProblem
from runner.reports import CatalogEntry, RequestReport, StatusReport, TraceReport
from runner.subjects import RUNNERS, Subjects
from runner.work import (
    CapabilityType,
    Code,
    DeliverySpec,
    Event,
    Priority,
    Standing,
    TaskAccepted,
    TaskProgress,
    WorkRequest,
    WorkResponse,
)

ASK_SECONDS = 10.0
CLAIM_SECONDS = 5.0
"""How long an asynchronous call waits to hear that its durable task was claimed."""

POLL_SECONDS = (0.05, 1.0)
"""First and longest pause between two looks at a pending request."""

_CATALOG: TypeAdapter[tuple[CatalogEntry, ...]] = TypeAdapter(tuple[CatalogEntry, ...])
_REQUESTS: TypeAdapter[tuple[RequestReport, ...]] = TypeAdapter(tuple[RequestReport, ...])
_CALLERS: TypeAdapter[tuple[str, ...]] = TypeAdapter(tuple[str, ...])


class NetworkClient:
    """Made by `runner.connect`, for as long as its block runs."""

    def __init__(self, network: str, caller: str, deadline: timedelta, priority: Priority) -> None:
        self.network = network
        self.name = caller
        self._subjects = Subjects(network)
        self._deadline = deadline
        self._priority = priority
        self._known: tuple[CatalogEntry, ...] = ()

    async def attach(self, connection: Connection) -> None:
        """Start calling over this connection. Once, by `connect`."""
        self._connection = connection
        self._caller = Caller(connection, self._subjects, self.name)
        self._events = Events(connection, self._subjects)
        self._questions = Questions(connection)
        await self._caller.open()

    async def reattach(self) -> None:
        """The connection came back: whoever waits asks for what was missed."""
        self._caller.nudge()

    async def call(
        self,
        target: str,
        text: JsonValue = "",
        mode: Literal["await", "async"] = "await",
        deadline: str | float | timedelta | None = None,
        priority: str | None = None,
        delivery: str | DeliverySpec | None = None,
        request_id: str | None = None,
        tags: Sequence[str] = (),
        authority: str | None = None,
        on_accepted: Callable[[TaskAccepted], None] | None = None,
        on_progress: Callable[[TaskProgress], None] | None = None,
    ) -> WorkResponse | TaskAccepted:
        """Call `ensemble/capability`, or a capability by name to whoever offers it (with all of `tags`).

        Every outcome is a WorkResponse: a refusal, a failure, an expired deadline. With mode `async` a durable task's
        TaskAccepted comes back at once, and its outcome through `result`. A repeated `request_id` joins the request of
        that id. Raises UsageProblem for what only the caller can mend, NotRunning where no runner answers.
        """
        if mode not in ("await", "async"):
            raise UsageProblem(f"there is no mode {mode!r}", hint="`await` or `async`")
        wanted = Target.parse(target, tags)
        request = request_for(
            wanted,
            text,
            caller=self.name,
            deadline=self._deadline if deadline is None else deadline,
            priority=priority or self._priority,
            delivery=delivery,
            request_id=request_id,
            authority=authority,
        )
        entry = await self._provider(wanted, request)
        if isinstance(entry, WorkResponse):
            return entry
        if entry.type is CapabilityType.TOOL:
            return await self._caller.tool(entry.provider, entry.name, request)
        if mode == "async":
            return await self._caller.accepted(entry.provider, request, CLAIM_SECONDS)
        return await self._caller.task(entry.provider, request, _hints(on_accepted, on_progress))

    async def result(self, request_id: str, wait: bool = True, timeout: float | None = None) -> WorkResponse | Standing:
        """The outcome of a request (`ID` or `CALLER/ID`), or, not waiting or waiting no longer, where it stands.

        Waits until the request's deadline or for `timeout` seconds. Raises UsageProblem for an id nobody knows or two
        callers used.
        """
        caller, request_id = await self._whose(request_id)
        give_up = None if timeout is None else datetime.now(UTC) + timedelta(seconds=timeout)
        pause, longest = POLL_SECONDS
        while True:
            standing = await self._caller.standing(request_id, caller=caller)
            if standing is not None and standing.response is not None:
                return standing.response
            if standing is not None and standing.status == "UNKNOWN":
                raise _unknown(request_id)
            standing = standing or Standing(request_id=request_id, status="PENDING")
            ends = min((at for at in (give_up, standing.expires_at) if at), default=None)
            if not wait or (ends is not None and datetime.now(UTC) >= ends):
                return standing
            await asyncio.sleep(pause)
            pause = min(longest, pause * 1.5)

    async def cancel(self, request_id: str) -> Standing:
        """Ask for a request (`ID` or `CALLER/ID`) to be cancelled, and tell where it stands then."""
        caller, request_id = await self._whose(request_id)
        standing = await self._caller.cancel("_any", request_id, caller=caller)
        if standing is None:
            raise NotRunning
        return standing

    async def status(self) -> StatusReport:
        return StatusReport.model_validate_json(await self._ask("status"))

    async def catalog(self, tags: Sequence[str] = ()) -> tuple[CatalogEntry, ...]:
        """Every capability of the network that carries all of `tags`, in order of provider and name."""
        self._known = _CATALOG.validate_json(await self._ask("catalog"))
        return tuple(entry for entry in self._known if set(tags) <= set(entry.tags))

    async def requests(self, state: str | None = None) -> tuple[RequestReport, ...]:
        """Every task that is pending or whose outcome is kept; with `state` only those in it."""
        found = _REQUESTS.validate_json(await self._ask("requests"))
        if state is None:
            return found
        return tuple(report for report in found if state.upper() in (report.status, report.state))

    async def events(
        self,
        follow: bool = False,
        trace: str | None = None,
        request_id: str | None = None,
        ensemble: str | None = None,
    ) -> AsyncIterator[Event]:
        """What happened, oldest first; with `follow`, and what happens from now on."""
        chosen = {"trace": trace or "*", "request_id": request_id or "*", "ensemble": ensemble or "*"}
        async for event in self._events.follow(**chosen) if follow else self._events.read(**chosen):
            yield event

    async def trace(self, id: str) -> TraceReport:
        """The spans of a trace, by its id or by that of a request in it. Raises UsageProblem where there is none."""
        trace_id = id if len(id) == 32 else await self._trace_of(id)
        report = trace_report(trace_id, [event async for event in self._events.read(trace=trace_id)])
        if not report.spans:
            raise UsageProblem(
                f"there is no trace {id}", hint="`run-network requests` lists requests with their traces"
            )
        return report

    async def stop(self) -> None:
        """Ask every runner of the network to drain and stop."""
        await self._ask("stop")

    async def _provider(self, wanted: Target, request: WorkRequest) -> CatalogEntry | WorkResponse:
        """Whom to ask; what is not known is looked up once more before it is a failure."""
        found = resolve(wanted, self._known)
        if not isinstance(found, CatalogEntry):
            found = resolve(wanted, await self.catalog())
        if isinstance(found, CatalogEntry):
            return found
        return failure(request, found.code, found.message, found.hint)

    async def _whose(self, request_id: str) -> tuple[str, str]:
        caller, slash, own_id = request_id.partition("/")
        if slash:
            return caller, own_id
        callers = _CALLERS.validate_json(await self._ask("callers", request_id.encode()))
        if not callers:
            raise _unknown(request_id)
        if len(callers) > 1:
            either = " or ".join(f"{caller}/{request_id}" for caller in callers)
            raise UsageProblem(f"several callers used the id {request_id}", hint=f"say {either}")
        return callers[0], request_id

    async def _trace_of(self, request_id: str) -> str:
        caller, slash, own_id = request_id.partition("/")
        async for event in self._events.read(request_id=own_id if slash else request_id):
            if event.trace_id and (not slash or event.caller == caller):
                return event.trace_id
        raise _unknown(request_id)

    async def _ask(self, verb: str, body: bytes = b"") -> bytes:
        answer = await self._questions.ask(self._subjects.control(RUNNERS, verb), body, ASK_SECONDS)
        if answer is None:
            raise NotRunning(f"no runner of {self.network} answers")
        return answer


def _hints(
    on_accepted: Callable[[TaskAccepted], None] | None, on_progress: Callable[[TaskProgress], None] | None
) -> Hints:
    def tell(hint: TaskAccepted | TaskProgress) -> None:
        match hint:
            case TaskAccepted():
                if on_accepted:
                    on_accepted(hint)
            case TaskProgress():
                if on_progress:
                    on_progress(hint)

    return tell


def _unknown(request_id: str) -> UsageProblem:
    return UsageProblem(
        f"nobody knows a request {request_id}",
        code=Code.UNKNOWN_REQUEST,
        hint="`run-network requests` lists them; outcomes are kept for `defaults.results_kept`",
    )
