"""`run-network plan`: what applying the files would change."""

from __future__ import annotations

from typing import Annotated

import typer

from runner.cli import output
from runner.cli.door import CHANGES, FINE
from runner.cli.load import workspace_of
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, NetworkFile, Verbose
from runner.cli.planning import about, sendable, show
from runner.cli.session import NetworkClient
from runner.proposal import ProposalAnswer
from runner.workspace import Workspace

Generation = Annotated[
    int | None, typer.Option("--generation", metavar="GEN", help="Go back to this one in place of the files.", min=1)
]


def run(
    file: NetworkFile = DEFAULT_FILE,
    generation: Generation = None,
    as_json: AsJson = False,
    nats: Nats = None,
    verbose: Verbose = False,
) -> int:
    """Show what applying the files of this directory would change in the network that runs, and why.

    \b
      run-network plan
      run-network plan --json
      run-network apply --plan 3-5f1c0a9e77b2d643      what was shown, or nothing
      run-network plan --generation 2                  what `rollback 2` would change

    Exits 0 where nothing would change, 2 where something would, and 1 where the files are not valid or the change
    needs a restart. Nothing is applied. A `${env:…}` stands for what it does where the runner runs.
    """
    workspace = workspace_of(file) if generation is None else Workspace.of(file)
    reading = sendable(workspace) if generation is None else None

    async def ask(network: NetworkClient) -> ProposalAnswer:
        if generation is not None:
            return await network.rollback(generation, applies=False)
        return await network.plan(reading)

    planned = about(workspace, file, nats, ask)
    if as_json:
        output.document(output.plain(planned.plan))
    else:
        show(planned)
    return CHANGES if planned.plan.steps else FINE
