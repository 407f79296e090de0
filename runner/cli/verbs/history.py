"""`run-network history`: the generations of the network's files."""

from __future__ import annotations

from runner.cli import output
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, NetworkFile, Verbose
from runner.cli.session import NetworkClient, conversing
from runner.reports import GenerationReport


def run(file: NetworkFile = DEFAULT_FILE, as_json: AsJson = False, nats: Nats = None, verbose: Verbose = False) -> int:
    """List the generations of the network's files that are kept, the one that runs last and marked with a star."""

    async def ask(network: NetworkClient) -> tuple[GenerationReport, ...]:
        return await network.history()

    found = conversing(file, nats, ask)
    if as_json:
        output.document([output.plain(report) for report in found])
        return 0
    from runner.cli.render import tables  # rich: only for who reads a table

    output.data(tables.history(found, width=output.width(output.stdout()), colour=output.coloured(output.stdout())))
    return 0
