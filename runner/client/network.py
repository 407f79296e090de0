"""A running network as its clients see it: call, result, cancel, and what there is to know."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from typing import Literal

from pydantic import JsonValue

from runner.bundle import Bundled
from runner.bus.bundles import Bundles
from runner.bus.caller import Caller
from runner.bus.connection import Connection
from runner.bus.events import Events
from runner.bus.objects import Objects
from runner.bus.payloads import Payloads
from runner.bus.questions import Questions
from runner.client.asking import Asking, hints_for
from runner.client.discovering import offers
from runner.client.documents import as_document
from runner.client.draining import drained
from runner.client.events import EventLog
from runner.client.explaining import explained
from runner.client.generations import Generations
from runner.client.pages import whole
from runner.client.patience import Patience
from runner.client.proposer import Proposer
from runner.client.request import request_for
from runner.client.requests import Requests
from runner.client.targets import Target
from runner.config.reading import Reading
from runner.errors import NotRunning, UsageProblem
from runner.event import Event
from runner.payload import PayloadProblem, PayloadsAway
from runner.proposal import ProposalAnswer
from runner.reports import (
    CATALOG,
    AppliedReport,
    CatalogEntry,
    CatalogRequest,
    EnsembleReport,
    GenerationReport,
    PriorityReport,
    RequestReport,
    RetryReport,
    StatusReport,
    TraceReport,
)
from runner.subjects import RUNNERS, Subjects
from runner.who import person
from runner.why import WhyReport, WhyRequest
from runner.work import (
    CapabilityType,
    DeliverySpec,
    Priority,
    Standing,
    TaskAccepted,
    TaskProgress,
    WorkResponse,
)
from runner.workspace import Workspace

COMMAND_LINE = "_cli"
ASK_SECONDS = 10.0
UPLOAD_KEPT = timedelta(days=1)


class NetworkClient:
    """Made by `runner.connect`, for as long as its block runs."""

    def __init__(
        self,
        network: str,
        caller: str,
        deadline: timedelta,
        priority: Priority,
        max_payload: int,
        workspace: Workspace,
    ) -> None:
        self.network = network
        self.name = caller
        self._subjects = Subjects(network)
        self._deadline = deadline
        self._priority = priority
        self._max_payload = max_payload
        self._workspace = workspace

    async def attach(self, connection: Connection) -> None:
        """Start calling over this connection. Once, by `connect`."""
        self._connection = connection
        self._offers = offers(connection, self._subjects, self._ask)
        self._objects = Objects(connection, self._subjects.bucket("payloads"))
        payloads = Payloads.over(self._objects, self._max_payload, connection.max_payload)
        self._caller = Caller(connection, self._subjects, self.name, payloads, self._offers.room)
        self._requests = Requests(self._caller, payloads, self._ask)
        self._events = EventLog(Events(connection, self._subjects), self.network)
        self._generations = Generations(Bundles(connection, self._subjects), self.network)
        self._questions = Questions(connection, self._subjects)
        by = person() if self.name == COMMAND_LINE else f"{self.name.removeprefix('_client-')} of {person()}"
        self._proposer = Proposer(
            by, self._workspace, self._generations, self._objects, self._questions, self._subjects
        )
        await self._caller.open()

    async def detach(self) -> None:
        await self._caller.close()

    @property
    def dropped(self) -> int:
        """How many answers were none, or not to what was asked, and were dropped."""
        return self._caller.dropped

    async def reattach(self) -> None:
        """The connection came back: whoever waits asks for what was missed."""
        self._offers.unheard()
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
        dedupe: str | None = None,
        on_deadline: str = "fail",
        on_late_eta: str = "accept",
        on_constrained: str = "wait",
        on_accepted: Callable[[TaskAccepted], None] | None = None,
        on_progress: Callable[[TaskProgress], None] | None = None,
        on_unclaimed: Callable[[Standing], None] | None = None,
    ) -> WorkResponse | TaskAccepted | Standing:
        """Call `ensemble/capability`, or a capability by name to whoever offers it (with all of `tags`).

        Whoever is discovered and is gone, or has no room, is followed by the next who offers the same.

        Every outcome is a WorkResponse: a refusal, a failure, an expired deadline. With mode `async` a durable task's
        TaskAccepted comes back as soon as it is claimed, or a Standing where nobody claims it, and its outcome through
        `result`. A repeated `request_id` joins the request of that id; with `dedupe` "content" a task that is the same
        as an earlier one of this caller joins that one, under its own id.

        With `on_deadline="continue"` an expired task has a moment to say what it finished, in `partial`. A task whose
        provider expects to be late is told of through `on_progress`, and with `on_late_eta="continue"` called off;
        with `on_constrained="fail"` one is not asked, or called off, where too many wait already. `on_unclaimed` hears
        once where a task stands that nobody has claimed for a few seconds.

        Raises UsageProblem for what only the caller can mend, NotRunning where no runner answers.
        """
        if mode not in ("await", "async"):
            raise UsageProblem(f"there is no mode {mode!r}", hint="`await` or `async`")
        patience = Patience.of(on_deadline, on_late_eta, on_constrained)
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
            dedupe=dedupe,
        )
        hints = hints_for(on_accepted, on_progress)
        return await Asking(self._caller, self._offers, mode, patience, hints, on_unclaimed).answer(wanted, request)

    async def result(self, request_id: str, wait: bool = True, timeout: float | None = None) -> WorkResponse | Standing:
        """The outcome of a request (`ID` or `CALLER/ID`), or, not waiting or waiting no longer, where it stands.

        Waits until the request's deadline or for `timeout` seconds. Raises UsageProblem for an id nobody knows or two
        callers used.
        """
        return await self._requests.result(request_id, wait=wait, timeout=timeout)

    async def upload(self, document: str | os.PathLike[str] | bytes, name: str | None = None) -> dict[str, JsonValue]:
        """Put a file, or bytes, into the network's object store; what comes back is a context for `call`.

        The text or JSON in it is what the work sees. Under a `name` it stays until it is replaced or deleted, without
        one for a day. Raises UsageProblem for what is neither text nor JSON or is over `defaults.max_payload`,
        NotRunning where no server answers.
        """
        found = await as_document(document, name, self._max_payload)
        kept = None if name else max(UPLOAD_KEPT, self._deadline)
        try:
            reference = await self._objects.put(found.name, found.data, kind=found.kind, kept=kept, replace=bool(name))
        except PayloadProblem as problem:
            raise UsageProblem(problem.error.message, hint=problem.error.hint, code=problem.error.code) from problem
        except PayloadsAway as away:
            raise NotRunning(f"the document cannot be put away: the server of {self.network} is away") from away
        return reference.told()

    async def cancel(self, request_id: str) -> Standing:
        """Ask for a request (`ID` or `CALLER/ID`) to be cancelled, and tell where it stands then."""
        return await self._requests.cancel(request_id)

    async def retry(self, request_id: str) -> RetryReport:
        """Queue a dead letter (`ID` or `CALLER/ID`) again; `result` waits for its outcome.

        Raises UsageProblem for an id that is not dead, unknown or used by several, and where the queue refuses it.
        """
        return await self._requests.retry(request_id)

    async def prioritize(self, request_id: str, priority: str) -> PriorityReport:
        """Let a waiting task (`ID` or `CALLER/ID`) wait with another priority.

        Raises UsageProblem for a priority that is none, for an id that is unknown or used by several, for a task that
        is worked on or has its outcome, and where the queue has no room for the move.
        """
        return await self._requests.prioritize(request_id, priority)

    async def drain(self, ensemble: str, *, resume: bool = False) -> EnsembleReport:
        """Take an ensemble out of service on every runner, or bring it back; how it is once that is done.

        Raises UsageProblem for a name that no ensemble has and for one that no runner hosts.
        """
        return await drained(ensemble, self._questions, self._subjects, self.status, resume=resume)

    async def status(self) -> StatusReport:
        return StatusReport.model_validate_json(await self._ask("status"))

    async def catalog(
        self,
        tags: Sequence[str] = (),
        *,
        any_tags: Sequence[str] = (),
        name: str | None = None,
        type: CapabilityType | None = None,
        domain: str | None = None,
    ) -> tuple[CatalogEntry, ...]:
        """Every capability of the network that meets all that is said, in order of provider and name.

        It carries all of `tags` and at least one of `any_tags`. A tag may be an alias.
        """
        wanted = CatalogRequest(tags=tuple(tags), any_tags=tuple(any_tags), name=name, type=type, domain=domain)
        every = wanted == CatalogRequest()
        return await (self._offers.all() if every else whole("catalog", CATALOG, wanted, self._ask))

    async def why(self, ensemble: str, use: str, *, key: str | None = None, deadline: float | None = None) -> WhyReport:
        """Whom a use of an ensemble would ask now, and why nobody else, as its runner decides it.

        `key` is that of a request, for a use with `select: affinity`; `deadline` its seconds. Raises UsageProblem for
        an ensemble or a use that there is not.
        """
        return await explained(WhyRequest(ensemble=ensemble, use=use, key=key, deadline=deadline), self._ask)

    async def requests(self, state: str | None = None) -> tuple[RequestReport, ...]:
        """Every task that is pending or whose outcome is kept; with `state` only those in it."""
        return await self._requests.listed(state)

    def events(
        self,
        follow: bool = False,
        trace: str | None = None,
        request_id: str | None = None,
        ensemble: str | None = None,
    ) -> AsyncIterator[Event]:
        """What happened, oldest first; with `follow`, and what happens from now on."""
        return self._events.read(follow=follow, trace=trace, request_id=request_id, ensemble=ensemble)

    async def trace(self, id: str) -> TraceReport:
        """The spans of a trace, by its id or by that of a request in it. Raises UsageProblem where there is none."""
        return await self._events.trace(id)

    async def applied(self) -> AppliedReport:
        """What the network runs: the generation, and its files."""
        return await self._generations.applied()

    async def history(self) -> tuple[GenerationReport, ...]:
        """The generations that are kept, oldest first; the last one is applied."""
        return await self._generations.history()

    async def bundle(self, generation: int | None = None) -> Bundled:
        """The files of a generation, or of the one that is applied. Raises UsageProblem for one that is not kept."""
        return await self._generations.bundle(generation)

    async def plan(self, files: Reading | None = None) -> ProposalAnswer:
        """What applying files would change: those that were read, or those beside the `path` of `connect`.

        Raises InvalidNetwork for files with errors, RestartNeeded for what cannot change while the network runs.
        """
        return await self._proposer.files(files, applies=False)

    async def apply(self, files: Reading | None = None, plan: str | None = None) -> ProposalAnswer:
        """Have files applied, all or nothing; with the hash of a `plan` only where that is still what it would do.

        Raises what `plan` raises, PlanMoved, MissingPermissions, and ReloadFailed for what else keeps it.
        """
        return await self._proposer.files(files, applies=True, plan=plan)

    async def rollback(self, generation: int, plan: str | None = None, *, applies: bool = True) -> ProposalAnswer:
        """Apply the files of a kept generation again, as a new one; without `applies` only plan it.

        References stand for what they do now. Raises UnknownGeneration, and what `apply` raises.
        """
        return await self._proposer.generation(generation, applies=applies, plan=plan)

    async def stop(self) -> None:
        """Ask every runner of the network to drain and stop."""
        await self._ask("stop")

    async def _ask(self, verb: str, body: bytes = b"") -> bytes:
        answer = await self._questions.ask(self._subjects.control(RUNNERS, verb), body, ASK_SECONDS)
        if answer is None:
            raise NotRunning(f"no runner of {self.network} answers")
        return answer
