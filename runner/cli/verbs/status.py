"""`run-network status`: runners, ensembles and their load."""

from __future__ import annotations

from runner.cli import output
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, NetworkFile, Verbose
from runner.cli.session import NetworkClient, conversing
from runner.reports import StatusReport


def run(file: NetworkFile = DEFAULT_FILE, as_json: AsJson = False, nats: Nats = None, verbose: Verbose = False) -> int:
    """Show the network's runners, and every ensemble with its state, its work in flight and its queue."""

    async def ask(network: NetworkClient) -> StatusReport:
        return await network.status()

    report = conversing(file, nats, ask)
    if as_json:
        output.document(output.plain(report))
        return 0
    from runner.cli.render import tables  # rich: only for who reads a table

    output.data(tables.status(report, width=output.width(output.stdout()), colour=output.coloured(output.stdout())))
    return 0
