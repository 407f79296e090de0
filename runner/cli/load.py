"""Reading the network file for a verb."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from runner.cli import output
from runner.cli.presence import running_here
from runner.cli.render import diagnostics as render
from runner.config.reading import Reading, read_network
from runner.diagnostics import Diagnostic
from runner.errors import InvalidNetwork, UsageProblem
from runner.model import Network
from runner.workspace import Workspace

_NAME_IT = "name yours with `-f FILE`, or write one to start from with `run-network init DIR`"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What reading gave. Files are named as the way from the current directory, for people and tools to follow."""

    network: Network | None
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, str]
    reading: Reading


def workspace_of(file: str) -> Workspace:
    """The directory of the file. Raises UsageProblem where there is no such file."""
    workspace = Workspace.of(file)
    if not os.path.isfile(file):
        shown = file or "``"
        missing = not os.path.exists(file)
        message = f"there is no file {shown}" if missing else f"{shown} is not a file"
        raise UsageProblem(message, hint=_hint(workspace) if file else _NAME_IT)
    return workspace


def _hint(workspace: Workspace) -> str:
    """What to do about a file that is not there."""
    match running_here(workspace):
        case None:
            return _NAME_IT
        case workspace.file.name:
            return f"the network that runs in {workspace.directory} goes on as it is: write the file again to change it"
        case other:
            return f"the network that runs in {workspace.directory} is that of {other}: name it with `-f`"


def workspace_to_talk(file: str) -> Workspace:
    """The same; of a network that runs, also while its file is away. Whoever talks to it needs no more than what it
    left beside."""
    workspace = Workspace.of(file)
    if not file or os.path.exists(file) or running_here(workspace) != workspace.file.name:
        return workspace_of(file)
    output.talk(f"note: there is no file {file}; the network that runs in {workspace.directory} is asked")
    return workspace


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
