"""`run-network graph`: the network as a picture."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer

from runner.cli import output
from runner.cli.load import read, workspace_of
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, NetworkFile, Verbose, member
from runner.cli.render.graph.document import document
from runner.cli.render.graph.dot import dot
from runner.cli.render.graph.mermaid import mermaid
from runner.cli.render.graph.picture import Picture, as_it_runs, picture, without_secrets
from runner.cli.render.graph.svg import svg
from runner.cli.render.graph.text import text
from runner.cli.session import NetworkClient, conversing
from runner.config.reading import read_network
from runner.errors import InvalidNetwork, UsageProblem
from runner.routing.wiring import wiring
from runner.workspace import Workspace


class Drawing(StrEnum):
    TEXT = "TEXT"
    MERMAID = "MERMAID"
    DOT = "DOT"
    SVG = "SVG"


DRAWERS: dict[Drawing, Callable[[Picture], str]] = {
    Drawing.TEXT: text,
    Drawing.MERMAID: mermaid,
    Drawing.DOT: dot,
    Drawing.SVG: svg,
}


def run(
    file: NetworkFile = DEFAULT_FILE,
    format: Annotated[str, typer.Option("--format", metavar="FORMAT", help="text, mermaid, dot or svg.")] = "text",
    live: Annotated[
        bool, typer.Option("--live", help="Draw the network that runs, with where its discovered uses go now.")
    ] = False,
    as_json: AsJson = False,
    nats: Nats = None,
    verbose: Verbose = False,
) -> int:
    """Draw the ensembles and their wiring as the file declares them. Needs no running network.

    \b
      run-network graph
      run-network graph --format svg > network.svg
      run-network graph --format dot | dot -Tpng > network.png
      run-network graph --live                the network that runs, and where its discovered uses go now
    """
    drawing = member(Drawing, format, "--format") or Drawing.TEXT
    if nats is not None and not live:
        raise UsageProblem("--nats without --live: a graph is drawn from the file", hint="add `--live`")
    drawn = _running(file, nats) if live else _declared(workspace_of(file))
    if as_json:
        output.document(document(drawn))
    else:
        output.data(DRAWERS[drawing](drawn))
    return 0


def _declared(workspace: Workspace) -> Picture:
    """What the files say. Raises InvalidNetwork."""
    network, reading = read(workspace)
    return without_secrets(picture(network), reading.references.secrets)


def _running(file: str, nats: str | None) -> Picture:
    """What runs now. Raises NotRunning, and InvalidNetwork where its files cannot be read here."""
    environment = Workspace.of(file).environment()

    async def ask(network: NetworkClient) -> Picture:
        found = await network.bundle((await network.applied()).generation)
        reading = read_network(found, found.bundle.file, environment, safe=Workspace.of(file))
        if reading.network is None:
            raise InvalidNetwork(reading.diagnostics, reading.sources)
        edges = [edge for edge in wiring(reading.network) if edge.discovered]
        reports = [await network.why(e.ensemble, e.use.name) for e in edges]
        return without_secrets(as_it_runs(picture(reading.network), reports), reading.references.secrets)

    return conversing(file, nats, ask)
