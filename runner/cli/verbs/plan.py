"""`run-network plan`: what applying the files would change."""

from __future__ import annotations

from runner.cli import output
from runner.cli.door import CHANGES, FINE
from runner.cli.load import read, workspace_of
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, NetworkFile, Verbose
from runner.cli.planning import Files, planned
from runner.cli.render.style import visible_lines
from runner.cli.session import NetworkClient, conversing
from runner.plan.plan import Plan
from runner.plan.report import report_of
from runner.plan.text import text


def run(file: NetworkFile = DEFAULT_FILE, as_json: AsJson = False, nats: Nats = None, verbose: Verbose = False) -> int:
    """Show what applying the files of this directory would change in the network that runs, and why.

    \b
      run-network plan
      run-network plan --json

    Exits 0 where nothing would change, 2 where something would, and 1 where the files are not valid or the change
    needs a restart. Nothing is applied.
    """
    workspace = workspace_of(file)
    network, reading = read(workspace, warn=True)
    files = Files(workspace, network, reading)

    async def ask(client: NetworkClient) -> Plan:
        return await planned(client, files)

    plan = conversing(file, nats, ask)
    if as_json:
        output.document(output.plain(report_of(plan)))
    else:
        output.data(visible_lines(text(plan)))
    return CHANGES if plan else FINE
