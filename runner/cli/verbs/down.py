"""`run-network down`: drain and stop the running network."""

from __future__ import annotations

from runner.cli import output
from runner.cli.options import DEFAULT_FILE, Nats, NetworkFile, Verbose
from runner.cli.session import NetworkClient, conversing


def run(file: NetworkFile = DEFAULT_FILE, nats: Nats = None, verbose: Verbose = False) -> int:
    """Ask every runner of the network to finish what it works on and stop. Queued tasks wait for the next start."""

    async def ask(network: NetworkClient) -> None:
        await network.stop()

    conversing(file, nats, ask)
    output.talk("stopped")
    return 0
