"""`run-network call`: ask a capability and print its answer."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from pydantic import JsonValue

from runner.cli import answer, journal, output
from runner.cli.call_options import (
    AsClient,
    AuthorityName,
    CacheKey,
    Deadline,
    DedupeBy,
    Delivery,
    Document,
    Fresh,
    Input,
    ModeName,
    NoHttp,
    OnConstrainedWord,
    OnDeadlineWord,
    OnLateEtaWord,
    PriorityName,
    RequestId,
    Tags,
    TargetName,
    Text,
    Timeout,
)
from runner.cli.context import sole, to_send
from runner.cli.door import FINE
from runner.cli.load import read, workspace_of, workspace_to_talk
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, NetworkFile, Verbose, duration, member, refuse_later
from runner.cli.place import Place
from runner.cli.presence import explained, readable
from runner.cli.render import hints
from runner.cli.session import CALLER, NetworkClient, complete, connect
from runner.client.patience import Patience
from runner.errors import NotRunning, UsageProblem
from runner.work import Authority, Code, Dedupe, Priority, Standing, TaskAccepted, WorkResponse, new_request_id


class Mode(StrEnum):
    AWAIT = "AWAIT"
    ASYNC = "ASYNC"


@dataclass(frozen=True, slots=True)
class Question:
    """What the command line asks for."""

    target: str
    context: JsonValue
    document: str | None
    tags: tuple[str, ...]
    mode: Mode
    deadline: timedelta | None
    priority: Priority | None
    authority: Authority | None
    delivery: str | None
    dedupe: Dedupe | None
    request_id: str
    timeout: timedelta | None
    patience: Patience


def run(
    target: TargetName,
    text: Text = None,
    file: NetworkFile = DEFAULT_FILE,
    input: Input = None,
    document: Document = None,
    tag: Tags = None,
    mode: ModeName = "await",
    deadline: Deadline = None,
    timeout: Timeout = None,
    priority: PriorityName = None,
    authority: AuthorityName = None,
    dedupe: DedupeBy = None,
    request_id: RequestId = None,
    delivery: Delivery = None,
    on_deadline: OnDeadlineWord = "fail",
    on_late_eta: OnLateEtaWord = "accept",
    on_constrained: OnConstrainedWord = "wait",
    cache_key: CacheKey = None,
    fresh: Fresh = False,
    as_client: AsClient = None,
    no_http: NoHttp = False,
    as_json: AsJson = False,
    nats: Nats = None,
    verbose: Verbose = False,
) -> int:
    """Ask a capability. The result goes to stdout, what happens on the way to stderr.

    \b
      run-network call kitchen/prepare-meal "tomato soup, room 403"
      run-network call check-inventory "wagyu beef"        whoever offers it
      run-network call repair-status --tag repair "room 403"   whoever offers it and carries the tag
      echo "wagyu beef" | run-network call kitchen/check-inventory -
      run-network call kitchen/prepare-meal "saffron risotto, room 210" --mode async --priority low

    With no network running here, one is brought up for this call. Exits 1 if the request did not complete.
    """
    refuse_later(cache_key=cache_key, fresh=fresh, **{"as": as_client})
    question = Question(
        target=target,
        context=None if document is not None else to_send(text, input),
        document=sole(document, text, input),
        tags=tuple(tag or ()),
        mode=member(Mode, mode, "--mode") or Mode.AWAIT,
        deadline=duration(deadline, "--deadline"),
        priority=member(Priority, priority, "--priority"),
        authority=member(Authority, authority, "--authority"),
        delivery=delivery,
        dedupe=member(Dedupe, dedupe, "--dedupe"),
        request_id=request_id or new_request_id(),
        timeout=duration(timeout, "--timeout"),
        patience=Patience.of(on_deadline, on_late_eta, on_constrained),
    )
    if nats is None:
        readable(workspace_to_talk(file))
    return complete(_converse(question, file, nats, as_json))


async def _converse(question: Question, file: str, nats: str | None, as_json: bool) -> int:
    result = Place(file, nats).pointed(f"`run-network result {question.request_id}`")
    async with AsyncExitStack() as stack:
        network = await _reached(stack, question, file, nats)
        try:
            async with asyncio.timeout(None if question.timeout is None else question.timeout.total_seconds()):
                response = await _ask(network, question)
        except TimeoutError:
            return answer.pending(question.request_id, await _waited(network, question, result))
        except asyncio.CancelledError:
            output.talk(f"interrupted; the request goes on: {result}")
            raise
        return answer.tell(response, as_json=as_json, pending_code=FINE, patience=question.patience)


async def _waited(network: NetworkClient, question: Question, result: str) -> str | None:
    """How a request is that has no outcome after --timeout, where somebody can tell; the user is told how to go on."""
    again = f"still waiting after --timeout: {result} takes it up again"
    state = None
    try:
        standing = await network.result(question.request_id, wait=False)
        state = standing.state if isinstance(standing, Standing) else standing.status
    except NotRunning:
        pass
    except UsageProblem as problem:
        if problem.code == Code.UNKNOWN_REQUEST:
            again = "gave up after --timeout; the answer of a tool is not kept: give it longer, or make it a task"
    output.talk(again)
    return state


async def _ask(network: NetworkClient, question: Question) -> WorkResponse | TaskAccepted | Standing:
    context = question.context if question.document is None else await network.upload(question.document)
    return await network.call(
        question.target,
        context,
        mode="await" if question.mode is Mode.AWAIT else "async",
        deadline=question.deadline,
        priority=question.priority,
        authority=question.authority,
        delivery=question.delivery,
        dedupe=question.dedupe,
        request_id=question.request_id,
        tags=question.tags,
        on_deadline=question.patience.on_deadline.value,
        on_late_eta=question.patience.on_late_eta.value,
        on_constrained=question.patience.on_constrained.value,
        on_accepted=lambda accepted: output.talk(hints.accepted(accepted)),
        on_progress=lambda progress: output.talk(hints.progress(progress)),
        on_unclaimed=lambda standing: output.talk(hints.unclaimed(standing)),
    )


async def _reached(stack: AsyncExitStack, question: Question, file: str, nats: str | None) -> NetworkClient:
    """The network of this directory, brought up for as long as the stack lasts where none is running."""
    try:
        return await stack.enter_async_context(connect(path=file, nats=nats, name=CALLER))
    except NotRunning as gone:
        explanation = explained(gone, file, nats)
        if nats is not None or explanation is not gone:
            raise explanation from None
    if question.mode is Mode.ASYNC:
        raise UsageProblem(
            "--mode async needs a network that stays up, and none is running here",
            hint="start it first: `run-network up --detach`",
        )
    workspace = workspace_of(file)
    network, reading = read(workspace)
    output.talk("no network is running here: bringing it up for this call (`run-network` keeps it up)")
    from runner.host.runner import running  # only a call that hosts pays for the host

    journal.keep(workspace)
    output.reserve()
    await stack.enter_async_context(running(network, workspace, reading=reading))
    return await stack.enter_async_context(connect(path=file, name=CALLER))
