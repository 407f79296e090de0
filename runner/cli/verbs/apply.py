"""`run-network apply`: put the files of the directory in force."""

from __future__ import annotations

from typing import Annotated

import typer

from runner.cli.door import FINE
from runner.cli.load import workspace_of
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, NetworkFile, Verbose
from runner.cli.planning import about, carried_out, sendable
from runner.cli.session import NetworkClient
from runner.proposal import ProposalAnswer

Planned = Annotated[
    str | None, typer.Option("--plan", metavar="HASH", help="Only if the plan is still the one of this hash.")
]


def run(
    file: NetworkFile = DEFAULT_FILE,
    plan: Planned = None,
    as_json: AsJson = False,
    nats: Nats = None,
    verbose: Verbose = False,
) -> int:
    """Apply the files of this directory to the network that runs, all of it or nothing; no request is lost.

    \b
      run-network apply
      run-network plan && run-network apply --plan 3-5f1c0a9e77b2d643

    For a network that does not watch its files: `up --no-watch`, or one on a server of your own. Shows the plan, then
    the generation that it became. With --plan it does what that plan showed, or refuses and says what has moved since.
    """
    workspace = workspace_of(file)
    reading = sendable(workspace)

    async def planned(network: NetworkClient) -> ProposalAnswer:
        return await network.plan(reading)

    async def apply(network: NetworkClient, hash: str) -> ProposalAnswer:
        return await network.apply(reading, plan=hash)

    async def carry_out(network: NetworkClient) -> bool:
        return await carried_out(network, planned, apply, plan, as_json=as_json)

    about(workspace, file, nats, carry_out)
    return FINE
