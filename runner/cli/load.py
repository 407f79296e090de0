"""Reading the network file for a verb."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from runner.cli import output
from runner.cli.render import diagnostics as render
from runner.config.reading import Reading, read_network
from runner.diagnostics import Diagnostic
from runner.errors import InvalidNetwork, UsageProblem
from runner.model import Network
from runner.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Loaded:
    """What reading gave. Files are named as the way from the current directory, for people and tools to follow."""

    network: Network | None
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, str]
    reading: Reading


def workspace_of(file: str) -> Workspace:
    """The directory of the file. Raises UsageProblem where there is no such file."""
    if not os.path.isfile(file):
        shown = file or "``"
        raise UsageProblem(
            f"there is no file {shown}" if not os.path.exists(file) else f"{shown} is not a file",
            hint="name yours with `-f FILE`, or write one to start from with `run-network init DIR`",
        )
    return Workspace.of(file)


def load(workspace: Workspace, *, cautious: bool = False, locked: bool = False) -> Loaded:
    environment = workspace.environment()
    reading = read_network(workspace, workspace.file.name, environment, cautious=cautious, locked=locked)
    base = base_of(workspace)
    return Loaded(
        reading.network,
        tuple(replace(d, span=replace(d.span, file=base + d.span.file)) for d in reading.diagnostics),
        {base + name: text for name, text in reading.sources.items()},
        reading,
    )


def base_of(workspace: Workspace) -> str:
    """What stands before a file of the directory, seen from the current one: `hotel/`, or nothing."""
    way = os.path.relpath(workspace.directory)
    return "" if way == "." else f"{way}/"


def network_of(workspace: Workspace, *, warn: bool = False) -> Network:
    """The resolved network; its warnings go to stderr if asked for. Raises InvalidNetwork."""
    return read(workspace, warn=warn)[0]


def read(workspace: Workspace, *, warn: bool = False, locked: bool = False) -> tuple[Network, Reading]:
    """The same, and all that reading gave."""
    loaded = load(workspace, locked=locked)
    if loaded.network is None:
        raise InvalidNetwork(loaded.diagnostics, loaded.sources)
    if warn and loaded.diagnostics:
        output.talk(render.concise(loaded.diagnostics))
    return loaded.network, loaded.reading
