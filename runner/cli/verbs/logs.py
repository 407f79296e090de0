"""`run-network logs`: the event stream as lines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

import typer

from runner.cli import output
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, Verbose, request_name
from runner.cli.render import events as render
from runner.cli.session import NetworkClient, conversing
from runner.config.suggest import did_you_mean
from runner.errors import UsageProblem
from runner.event import Event


def run(
    file_after_f: Annotated[str | None, typer.Argument(metavar="FILE", help="The network file, after -f.")] = None,
    file: Annotated[str, typer.Option("--file", metavar="FILE", help="The network file.")] = DEFAULT_FILE,
    short: Annotated[
        int, typer.Option("-f", count=True, show_default=False, help="Alone: --follow. With a FILE: --file.")
    ] = 0,
    follow: Annotated[bool, typer.Option("--follow", help="Go on as things happen.")] = False,
    ensemble: Annotated[str | None, typer.Option(metavar="NAME", help="Only this ensemble's.")] = None,
    request: Annotated[str | None, typer.Option(metavar="ID", help="Only this request's: ID or CALLER/ID.")] = None,
    trace: Annotated[str | None, typer.Option(metavar="ID", help="Only this trace's.")] = None,
    as_json: AsJson = False,
    nats: Nats = None,
    verbose: Verbose = False,
) -> int:
    """Print what happened in the network, one line an event, oldest first. With --json, JSON lines.

    \b
      run-network logs                     what was kept
      run-network logs -f                  and what happens from now on
      run-network logs --ensemble kitchen
    """
    follow = follow or short > (1 if file_after_f else 0)
    caller, request_id = request_name(request) if request else (None, None)
    if trace:
        request_name(trace, "trace id")

    async def ask(network: NetworkClient) -> None:
        if ensemble:
            await _known(network, ensemble)
        found = network.events(follow=follow, trace=trace, request_id=request_id, ensemble=ensemble)
        async for event in found if follow else _in_order(found):
            if caller in (None, event.caller):
                _show(event, as_json)

    conversing(file_after_f or file, nats, ask)
    return 0


def _show(event: Event, as_json: bool) -> None:
    if as_json:
        output.line(output.plain(event, keep_none=False))
    else:
        output.data(render.line(event, colour=output.coloured(output.stdout())))


async def _known(network: NetworkClient, ensemble: str) -> None:
    """Raises UsageProblem for an ensemble that the network does not have."""
    names = [report.name for report in (await network.status()).ensembles]
    if ensemble not in names:
        hint = did_you_mean(ensemble, names, otherwise="`run-network status` lists them")
        raise UsageProblem(f"--ensemble: there is no ensemble `{ensemble}`", hint=hint)


async def _in_order(found: AsyncIterator[Event]) -> AsyncIterator[Event]:
    """By when they happened: they were kept as they arrived."""
    for event in sorted([event async for event in found], key=render.happened):
        yield event
