"""`run-network graph`: the network as a picture."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer

from runner.cli import output
from runner.cli.load import network_of, workspace_of
from runner.cli.options import DEFAULT_FILE, AsJson, NetworkFile, Verbose, member
from runner.cli.render.graph.document import document
from runner.cli.render.graph.dot import dot
from runner.cli.render.graph.mermaid import mermaid
from runner.cli.render.graph.picture import Picture, picture
from runner.cli.render.graph.svg import svg
from runner.cli.render.graph.text import text


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
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> int:
    """Draw the ensembles and their wiring as the file declares them. Needs no running network.

    \b
      run-network graph
      run-network graph --format svg > network.svg
      run-network graph --format dot | dot -Tpng > network.png
    """
    if as_json:
        output.document(document(picture(network_of(workspace_of(file)))))
        return 0
    drawing = member(Drawing, format, "--format") or Drawing.TEXT
    output.data(DRAWERS[drawing](picture(network_of(workspace_of(file)))))
    return 0
