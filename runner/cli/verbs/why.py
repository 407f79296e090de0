"""`run-network why`: why a use goes where it goes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated

import typer
from pydantic import JsonValue

from runner.cli import output
from runner.cli.load import base_of, load, network_of
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, NetworkFile, Verbose, duration
from runner.cli.session import NetworkClient, conversing
from runner.config.places import place_of_use
from runner.config.suggest import did_you_mean
from runner.diagnostics import Span
from runner.errors import NotRunning, UsageProblem
from runner.routing.explained import by_the_file
from runner.state import State
from runner.why import WhyReport
from runner.workspace import Workspace


def run(
    ensemble: Annotated[str, typer.Argument(metavar="ENSEMBLE", help="The ensemble that asks.")],
    use: Annotated[str, typer.Argument(metavar="USE", help="One of its uses.")],
    file: NetworkFile = DEFAULT_FILE,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The key of a request, for a use with `select: affinity`.")
    ] = None,
    deadline: Annotated[
        str | None, typer.Option(metavar="DURATION", help="How long a request may take, such as 30s.")
    ] = None,
    as_json: AsJson = False,
    nats: Nats = None,
    verbose: Verbose = False,
) -> int:
    """Say why a use goes where it goes: every candidate, why it may be asked or not, and who is.

    \b
      run-network why front-desk find-repair
      run-network why kitchen order-parts          a static use: the line that names its provider
      run-network why desk remember --key 403      whom an affinity gives the requests with this key

    Answered by the running network, as its next request will be decided; asking changes nothing. With no network
    running it answers from the file, as if every ensemble of it were up, and says so.
    """
    workspace = Workspace.of(file)
    limit = duration(deadline, "--deadline")
    seconds = limit.total_seconds() if limit is not None else None

    async def ask(network: NetworkClient) -> WhyReport:
        return await network.why(ensemble, use, key=key, deadline=seconds)

    answered = _live(file, nats, workspace, ask)
    report = answered or _declared(workspace, ensemble, use, key)
    place = _place(workspace, ensemble, use) if nats is None else None
    if as_json:
        output.document(_document(report, place))
        return 0
    from runner.cli.render.why import why  # rich: only for who reads a table

    terminal = output.stdout()
    output.data(why(report, place, width=output.width(terminal), colour=output.coloured(terminal)))
    return 0


def _live(
    file: str, nats: str | None, workspace: Workspace, ask: Callable[[NetworkClient], Awaitable[WhyReport]]
) -> WhyReport | None:
    """What the running network says; None where none is running here. Raises NotRunning for one that is silent."""
    try:
        return conversing(file, nats, ask)
    except NotRunning:
        if nats is not None or State(workspace.state).is_locked():
            raise
        return None


def _declared(workspace: Workspace, ensemble: str, use: str, key: str | None) -> WhyReport:
    """What the file says. Raises InvalidNetwork, and UsageProblem for an ensemble or a use that it does not have."""
    network = network_of(workspace)
    asking = network.ensembles.get(ensemble)
    if asking is None:
        hint = did_you_mean(ensemble, network.ensembles)
        raise UsageProblem(f"no ensemble is called `{ensemble}`", hint=hint)
    found = asking.uses.get(use)
    if found is None:
        hint = did_you_mean(use, asking.uses, otherwise="it has none" if not asking.uses else None)
        raise UsageProblem(f"`{ensemble}` has no use called `{use}`", hint=hint)
    return by_the_file(network, ensemble, found, key=key)


def _place(workspace: Workspace, ensemble: str, use: str) -> Span | None:
    """Where the files here declare the use, as the way from the current directory; None where they do not."""
    span = place_of_use(load(workspace).reading, ensemble, use)
    return replace(span, file=base_of(workspace) + span.file) if span is not None else None


def _document(report: WhyReport, place: Span | None) -> JsonValue:
    at: JsonValue = {"file": place.file, "line": place.line, "column": place.column} if place is not None else None
    plain = output.plain(report)
    assert isinstance(plain, dict)
    return {**plain, "live": report.runner is not None, "place": at}
