"""`run-network validate`: every problem of the file at once."""

from __future__ import annotations

from typing import Annotated, assert_never

import typer

from runner.cli import output
from runner.cli.load import Loaded, load
from runner.cli.options import DEFAULT_FILE, AsJson, Format, NetworkFile, Verbose, member
from runner.cli.render import diagnostics as render
from runner.cli.render.style import counted
from runner.model import Network
from runner.workspace import Workspace


def run(
    file: NetworkFile = DEFAULT_FILE,
    format: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="human, concise, json or github.")
    ] = "human",
    as_json: AsJson = False,
    import_: Annotated[
        bool, typer.Option("--import", help="Also execute the Python modules, as bringing the network up does.")
    ] = False,
    locked: Annotated[bool, typer.Option("--locked", help="Also hold the discovered uses to `network.lock`.")] = False,
    verbose: Verbose = False,
) -> int:
    """Say everything that is wrong with the network file and the files it names. Exits 1 if there is an error.

    \b
      run-network validate
      run-network validate --format github     notes beside the lines of a change, in GitHub Actions
      run-network validate --import            also run the Python modules, as warming up does
      run-network validate --locked            also whether discovered uses come to what `run-network lock` wrote
    """
    chosen = Format.JSON if as_json else member(Format, format, "--format")
    workspace = Workspace.of(file)
    loaded = load(workspace, cautious=True, locked=locked)
    if import_ and loaded.network is not None:
        from runner.cli.importing import import_modules  # heavier: only for who asks

        loaded = import_modules(workspace, loaded)
    _print(loaded, file, chosen or Format.HUMAN)
    return 1 if loaded.network is None else 0


def _print(loaded: Loaded, file: str, format: Format) -> None:
    found = loaded.diagnostics
    match format:
        case Format.HUMAN:
            colour = output.coloured(output.stdout())
            if found:
                output.data(render.human(found, loaded.sources, colour=colour) + "\n")
            output.data(verdict(loaded, file))
        case Format.CONCISE:
            output.lines(render.concise(found))
        case Format.JSON:
            output.document(render.as_json(found))
        case Format.GITHUB:
            output.lines(render.github(found))
        case _:
            assert_never(format)


def verdict(loaded: Loaded, file: str) -> str:
    """One line: whether the file is valid, and what it declares."""
    if loaded.network is None:
        return f"{file} is not valid: {render.summary(loaded.diagnostics)}"
    warnings = f" ({render.summary(loaded.diagnostics)})" if loaded.diagnostics else ""
    return f"{file} is valid{warnings}: {contents(loaded.network)}"


def contents(network: Network) -> str:
    ensembles = network.ensembles.values()
    capabilities = sum(len(ensemble.shared()) for ensemble in ensembles)
    uses = sum(len(ensemble.uses) for ensemble in ensembles)
    counts = [counted(len(ensembles), "ensemble"), f"{capabilities} shared " + _capabilities(capabilities)]
    return f"{network.name}, {', '.join([*counts, counted(uses, 'use')])}"


def _capabilities(number: int) -> str:
    return "capability" if number == 1 else "capabilities"
