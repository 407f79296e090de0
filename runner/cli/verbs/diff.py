"""`run-network diff`: how the files of two generations differ."""

from __future__ import annotations

from typing import Annotated

import typer

from runner.bundle import Bundled
from runner.cli import output
from runner.cli.load import read, workspace_of
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, NetworkFile, Verbose
from runner.cli.render.difference import difference, text
from runner.cli.session import NetworkClient, conversing
from runner.config.bundling import bundled
from runner.reports import DiffReport

Generation = Annotated[int | None, typer.Argument(metavar="GEN", help="A generation of the history.", min=1)]


def run(
    before: Generation = None,
    after: Generation = None,
    file: NetworkFile = DEFAULT_FILE,
    as_json: AsJson = False,
    nats: Nats = None,
    verbose: Verbose = False,
) -> int:
    """Show how files differ, in the unified format.

    \b
      run-network diff           what runs, against the files of this directory
      run-network diff 3         generation 3, against what runs
      run-network diff 3 5       generation 3, against generation 5
    """
    own = _directory(file) if before is None else None

    async def ask(network: NetworkClient) -> DiffReport:
        applied = (await network.applied()).generation
        earlier, later = before or applied, None if own is not None else after or applied
        return DiffReport(
            before=earlier,
            after=later,
            files=difference(await network.bundle(earlier), own or await network.bundle(later)),
        )

    report = conversing(file, nats, ask)
    if as_json:
        output.document(output.plain(report))
    elif report.files:
        output.data(text(report, colour=output.coloured(output.stdout())))
    else:
        output.talk("no file differs")
    return 0


def _directory(file: str) -> Bundled:
    """The files of the directory, as they would be applied. Raises InvalidNetwork."""
    _, reading = read(workspace_of(file))
    return bundled(reading)
