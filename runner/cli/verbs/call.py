"""`run-network call`: ask a capability and print its answer."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer
from pydantic import JsonValue

from runner.cli import answer, journal, output
from runner.cli.context import sole, to_send
from runner.cli.door import FINE
from runner.cli.load import network_of, workspace_of
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, NetworkFile, Verbose, duration, member, refuse_later
from runner.cli.place import Place
from runner.cli.presence import explained, readable
from runner.cli.render import hints
from runner.cli.session import CALLER, NetworkClient, complete, connect
from runner.errors import NotRunning, UsageProblem
from runner.work import Authority, Dedupe, Priority, Standing, TaskAccepted, WorkResponse, new_request_id


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


def run(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="ENSEMBLE/CAPABILITY, or a capability to discover.")],
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="What to say; - reads stdin.")] = None,
    file: NetworkFile = DEFAULT_FILE,
    input: Annotated[
        str | None, typer.Option("--input", metavar="FILE", help="A JSON file to send instead of TEXT.")
    ] = None,
    document: Annotated[
        str | None,
        typer.Option("--document", metavar="FILE", help="A text or JSON file to put away and pass by reference."),
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="Only a provider that carries it.")] = None,
    mode: Annotated[
        str, typer.Option(metavar="MODE", help="await prints the result, async the request's id once accepted.")
    ] = "await",
    deadline: Annotated[str | None, typer.Option(metavar="DURATION", help="When the request expires.")] = None,
    timeout: Annotated[
        str | None, typer.Option(metavar="DURATION", help="When to stop waiting (exit 5); the request goes on.")
    ] = None,
    priority: Annotated[str | None, typer.Option(metavar="P", help="critical, high, normal or low.")] = None,
    authority: Annotated[
        str | None, typer.Option(metavar="LEVEL", help="autonomous, supervised or human_required.")
    ] = None,
    dedupe: Annotated[
        str | None, typer.Option(metavar="BY", help="content: join a task of yours that asks for the same.")
    ] = None,
    request_id: Annotated[
        str | None, typer.Option("--request-id", metavar="ID", help="Yours: a repeat returns the same outcome.")
    ] = None,
    delivery: Annotated[
        str | None,
        typer.Option(metavar="WHERE", help="Also to queue:NAME, topic:NAME, store:KEY or one of the file; or none."),
    ] = None,
    on_deadline: Annotated[str | None, typer.Option("--on-deadline", hidden=True)] = None,
    cache_key: Annotated[str | None, typer.Option("--cache-key", hidden=True)] = None,
    fresh: Annotated[bool, typer.Option("--fresh", hidden=True)] = False,
    as_client: Annotated[str | None, typer.Option("--as", hidden=True)] = None,
    no_http: Annotated[bool, typer.Option("--no-http", hidden=True)] = False,
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
    refuse_later(on_deadline=on_deadline, cache_key=cache_key, fresh=fresh, **{"as": as_client})
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
    )
    if nats is None:
        readable(workspace_of(file))
    return complete(_converse(question, file, nats, as_json))


async def _converse(question: Question, file: str, nats: str | None, as_json: bool) -> int:
    result = Place(file, nats).pointed(f"`run-network result {question.request_id}`")
    async with AsyncExitStack() as stack:
        network = await _reached(stack, question, file, nats)
        try:
            async with asyncio.timeout(question.timeout.total_seconds() if question.timeout else None):
                response = await _ask(network, question)
        except TimeoutError:
            output.talk(f"still waiting after --timeout: {result} takes it up again")
            return answer.pending(question.request_id, None)
        except asyncio.CancelledError:
            output.talk(f"interrupted; the request goes on: {result}")
            raise
        return answer.tell(response, as_json=as_json, pending_code=FINE)


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
        on_accepted=lambda accepted: output.talk(hints.accepted(accepted)),
        on_progress=lambda progress: output.talk(hints.progress(progress)),
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
    network = network_of(workspace)
    output.talk("no network is running here: bringing it up for this call (`run-network` keeps it up)")
    from runner.host.runner import running  # only a call that hosts pays for the host

    journal.keep(workspace)
    output.reserve()
    await stack.enter_async_context(running(network, workspace))
    return await stack.enter_async_context(connect(path=file, name=CALLER))
