"""`run-network catalog`: the capabilities on offer."""

from __future__ import annotations

from typing import Annotated

import typer

from runner.cli import output
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, NetworkFile, Verbose
from runner.cli.session import NetworkClient, conversing
from runner.reports import CatalogEntry


def run(
    file: NetworkFile = DEFAULT_FILE,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="TAG", help="Only what carries this tag; several: all of them.")
    ] = None,
    as_json: AsJson = False,
    nats: Nats = None,
    verbose: Verbose = False,
) -> int:
    """List the capabilities now on offer: what they are, who provides them, and how busy the provider is.

    \b
      run-network catalog
      run-network catalog --tag repair --tag progress
    """

    async def ask(network: NetworkClient) -> tuple[CatalogEntry, ...]:
        return await network.catalog(tags=tuple(tag or ()))

    entries = conversing(file, nats, ask)
    if as_json:
        output.document([output.plain(entry) for entry in entries])
        return 0
    from runner.cli.render import tables  # rich: only for who reads a table

    output.data(tables.catalog(entries, width=output.width(output.stdout()), colour=output.coloured(output.stdout())))
    return 0
