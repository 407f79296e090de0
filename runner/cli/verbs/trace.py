"""`run-network trace`: where a request went."""

from __future__ import annotations

from typing import Annotated

import typer

from runner.cli import output
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, NetworkFile, Verbose, request_name
from runner.cli.render import waterfall
from runner.cli.session import NetworkClient, conversing
from runner.reports import TraceReport


def run(
    id: Annotated[str, typer.Argument(metavar="ID", help="A request's id, CALLER/ID, or a trace id.")],
    file: NetworkFile = DEFAULT_FILE,
    as_json: AsJson = False,
    nats: Nats = None,
    verbose: Verbose = False,
) -> int:
    """Show every hop of a request as a waterfall: which ensemble did what, when, and for how long."""

    request_name(id, "request or trace id")

    async def ask(network: NetworkClient) -> TraceReport:
        return await network.trace(id)

    report = conversing(file, nats, ask)
    if as_json:
        output.document(output.plain(report))
    else:
        width = output.width(output.stdout()) or waterfall.WIDTH
        output.data(waterfall.waterfall(report, width=width, colour=output.coloured(output.stdout())))
    return 0
