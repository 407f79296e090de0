"""`run-network rollback`: go back to the files of a generation that is kept."""

from __future__ import annotations

from typing import Annotated

import typer

from runner.bundle import differing
from runner.cli import output
from runner.cli.door import FINE
from runner.cli.load import load
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, NetworkFile, Verbose
from runner.cli.planning import about, carried_out
from runner.cli.session import NetworkClient
from runner.cli.verbs.apply import Planned
from runner.config.bundling import bundled
from runner.proposal import ProposalAnswer
from runner.workspace import Workspace

Generation = Annotated[int, typer.Argument(metavar="GEN", help="A generation of the history.", min=1)]


def run(
    generation: Generation,
    file: NetworkFile = DEFAULT_FILE,
    plan: Planned = None,
    as_json: AsJson = False,
    nats: Nats = None,
    verbose: Verbose = False,
) -> int:
    """Apply the files of a generation that is kept, as a new generation; no request is lost.

    \b
      run-network history
      run-network rollback 3

    The files of this directory stay as they are: nothing applies them until one of them is saved with another content,
    `apply` is said, or the network is started anew. A `${env:…}` stands for what it does now, where the runner runs.
    """
    workspace = Workspace.of(file)

    async def planned(network: NetworkClient) -> ProposalAnswer:
        return await network.rollback(generation, applies=False)

    async def apply(network: NetworkClient, hash: str) -> ProposalAnswer:
        return await network.rollback(generation, plan=hash)

    async def carry_out(network: NetworkClient) -> tuple[str, ...]:
        await carried_out(network, planned, apply, plan, as_json=as_json)
        kept = await network.bundle()
        return differing(bundled(load(workspace).reading).bundle, kept.bundle)

    _tell_of(about(workspace, file, nats, carry_out), workspace)
    return FINE


SHOWN = 3


def _tell_of(files: tuple[str, ...], workspace: Workspace) -> None:
    if files:
        more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
        output.talk(
            f"the files in {workspace.directory} stay as they are, and say something else "
            f"({', '.join(files[:SHOWN])}{more}):\nall of them come back with the next save of one that is watched, "
            "with `run-network apply`, or when the network is started anew"
        )
