"""`run-network requests`: the tasks asked for, and where they stand."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from runner.cli import output
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, NetworkFile, Verbose, member, request_name
from runner.cli.render.style import visible
from runner.cli.session import NetworkClient, conversing
from runner.reports import PriorityReport, RequestReport


class Wanted(StrEnum):
    """What `--state` takes: how a task stands, or what became of it."""

    PENDING = "PENDING"
    QUEUED = "QUEUED"
    HELD = "HELD"
    RUNNING = "RUNNING"
    DEAD = "DEAD"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


def run(
    file: NetworkFile = DEFAULT_FILE,
    state: Annotated[
        str | None,
        typer.Option(metavar="STATE", help=f"Only these: {', '.join(w.lower() for w in Wanted)}."),
    ] = None,
    prioritize: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="ID PRIORITY", help="Let this waiting task wait with another priority."),
    ] = None,
    as_json: AsJson = False,
    nats: Nats = None,
    verbose: Verbose = False,
) -> int:
    """List the tasks that were asked for, newest last. Tool calls leave no record.

    \b
      run-network requests
      run-network requests --state running
      run-network requests --prioritize 5f0c… high
    """

    if prioritize is not None:
        return _prioritize(file, nats, *prioritize, as_json=as_json)

    wanted = member(Wanted, state, "--state")

    async def ask(network: NetworkClient) -> tuple[RequestReport, ...]:
        return await network.requests(state=wanted)

    found = conversing(file, nats, ask)
    if as_json:
        output.document([output.plain(request) for request in found])
        return 0
    from runner.cli.render import tables  # rich: only for who reads a table

    output.data(tables.requests(found, width=output.width(output.stdout()), colour=output.coloured(output.stdout())))
    return 0


def _prioritize(file: str, nats: str | None, request: str, priority: str, *, as_json: bool) -> int:
    request_name(request)

    async def ask(network: NetworkClient) -> PriorityReport:
        return await network.prioritize(request, priority)

    report = conversing(file, nats, ask)
    if as_json:
        output.document(output.plain(report, keep_none=False))
    elif report.priority is report.previous:
        output.data(visible(f"{request} waits with priority {priority.lower()} already"))
    else:
        output.data(
            visible(f"{request} waits with priority {priority.lower()} in place of {str(report.previous).lower()}")
        )
    return 0
