"""`run-network requests`: the tasks asked for, and where they stand."""

from __future__ import annotations

from typing import Annotated

import typer

from runner.cli import output
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, NetworkFile, Verbose
from runner.cli.session import NetworkClient, conversing
from runner.reports import RequestReport


def run(
    file: NetworkFile = DEFAULT_FILE,
    state: Annotated[
        str | None,
        typer.Option(metavar="STATE", help="Only these: pending, queued, running, completed, failed, …"),
    ] = None,
    as_json: AsJson = False,
    nats: Nats = None,
    verbose: Verbose = False,
) -> int:
    """List the tasks that were asked for, newest last. Tool calls leave no record.

    \b
      run-network requests
      run-network requests --state running
    """

    async def ask(network: NetworkClient) -> tuple[RequestReport, ...]:
        return await network.requests(state=state.upper() if state else None)

    found = conversing(file, nats, ask)
    if as_json:
        output.document([output.plain(request) for request in found])
        return 0
    from runner.cli.render import tables  # rich: only for who reads a table

    output.data(tables.requests(found, width=output.width(output.stdout()), colour=output.coloured(output.stdout())))
    return 0
