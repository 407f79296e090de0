"""`run-network logs`: the event stream as lines."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from runner.cli import output
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, Verbose
from runner.cli.render import events as render
from runner.cli.session import NetworkClient, conversing


def run(
    file_after_f: Annotated[str | None, typer.Argument(metavar="[FILE]", help="The network file, after -f.")] = None,
    file: Annotated[str, typer.Option("--file", metavar="FILE", help="The network file.")] = DEFAULT_FILE,
    short: Annotated[int, typer.Option("-f", count=True, help="Alone: --follow. With a FILE: --file.")] = 0,
    follow: Annotated[bool, typer.Option("--follow", help="Go on as things happen.")] = False,
    ensemble: Annotated[str | None, typer.Option(metavar="NAME", help="Only this ensemble's.")] = None,
    request: Annotated[str | None, typer.Option(metavar="ID", help="Only this request's.")] = None,
    trace: Annotated[str | None, typer.Option(metavar="ID", help="Only this trace's.")] = None,
    as_json: AsJson = False,
    nats: Nats = None,
    verbose: Verbose = False,
) -> int:
    """Print what happened in the network, one line an event, oldest first. With --json, JSON lines.

    \b
      run-network logs                     what was kept
      run-network logs -f                  and what happens from now on
      run-network logs --trace 4bf92f…
    """
    follow = follow or short > (1 if file_after_f else 0)
    file = file_after_f or file
    colour = output.coloured(sys.stdout)

    async def ask(network: NetworkClient) -> None:
        async for event in network.events(follow=follow, trace=trace, request_id=request, ensemble=ensemble):
            if as_json:
                output.line(output.plain(event, keep_none=False))
            else:
                output.data(render.line(event, colour=colour))

    conversing(file, nats, ask)
    return 0
