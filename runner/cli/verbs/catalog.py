"""`run-network catalog`: the capabilities on offer."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from runner.cli import output
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, NetworkFile, Verbose
from runner.cli.session import NetworkClient, conversing
from runner.reports import CatalogEntry
from runner.work import CapabilityType


class Kind(StrEnum):
    TASK = "task"
    TOOL = "tool"


def run(
    file: NetworkFile = DEFAULT_FILE,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="TAG", help="Only what carries this tag; several: all of them.")
    ] = None,
    any_tag: Annotated[
        list[str] | None,
        typer.Option("--any-tag", metavar="TAG", help="Only what carries this tag; several: any of them."),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Only what is called so.")] = None,
    kind: Annotated[Kind | None, typer.Option("--type", help="Only tools, or only tasks.")] = None,
    domain: Annotated[str | None, typer.Option("--domain", metavar="DOMAIN", help="Only of this domain.")] = None,
    as_json: AsJson = False,
    nats: Nats = None,
    verbose: Verbose = False,
) -> int:
    """List the capabilities now on offer: what they are, who provides them, and how busy the provider is.

    \b
      run-network catalog
      run-network catalog --tag repair --tag progress
      run-network catalog --any-tag food --any-tag stock --type tool
    """

    async def ask(network: NetworkClient) -> tuple[CatalogEntry, ...]:
        wanted = CapabilityType[kind.upper()] if kind else None
        return await network.catalog(tag or (), any_tags=any_tag or (), name=name, type=wanted, domain=domain)

    entries = conversing(file, nats, ask)
    if as_json:
        output.document([output.plain(entry) for entry in entries])
        return 0
    from runner.cli.render import tables  # rich: only for who reads a table

    output.data(tables.catalog(entries, width=output.width(output.stdout()), colour=output.coloured(output.stdout())))
    return 0
