"""Small networks that really run: files in a directory, a real nats-server, real ensembles."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from runner.client.connect import connect
from runner.client.network import NetworkClient
from runner.config.reading import read_network
from runner.host.happenings import Happening
from runner.host.runner import Runner, running
from runner.model import Network
from runner.work import Placement
from runner.workspace import Workspace

PATIENCE_SECONDS = 60.0
"""Far more than anything takes, also where many tests run side by side on few cores."""

LONG_ENOUGH = (1.0, 4.0, 16.0)
"""Deadlines in seconds to try in turn, where something is to be done before the deadline passes: on a quiet machine
the first will do."""


@dataclass(frozen=True)
class LiveNetwork:
    """A network that is up, a client of it, and all that its runner told."""

    workspace: Workspace
    network: Network
    runner: Runner
    client: NetworkClient
    happenings: list[Happening]


def files_in(directory: Path, files: dict[str, str]) -> Workspace:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Workspace.of(directory / "network.yaml")


def read(workspace: Workspace) -> Network:
    reading = read_network(workspace, workspace.file.name, {})
    assert reading.network is not None, reading.diagnostics
    return reading.network


placed = Placement.INLINE
"""Where the ensembles of `live` run, beside those whose file says `placement: process`; `both_placements` sets it."""


def _placed(network: Network) -> Network:
    if placed is Placement.INLINE:
        return network
    ensembles = {name: replace(one, placement=placed) for name, one in network.ensembles.items()}
    return replace(network, ensembles=ensembles)


def apart(network_yaml: str) -> str:
    """The same file with each of its ensembles in a process of its own, where each has lines of its own."""
    head, key, ensembles = network_yaml.partition("ensembles:\n")
    return head + key + re.sub(r"(?m)^  ([\w-]+):$", r"  \1:\n    placement: process", ensembles)


Place = Callable[[str], str]
PLACEMENTS = pytest.mark.parametrize("place", [str, apart], ids=["inline", "process"])
"""A scenario whose files go through `place`, and so run in both placements."""


@asynccontextmanager
async def live(
    directory: Path,
    network_yaml: str,
    *,
    without: frozenset[str] = frozenset(),
    client: str = "tester",
    nats: str | None = None,
    watch: bool = False,
    **modules: str,
) -> AsyncIterator[LiveNetwork]:
    """Bring a network up from text; `modules` are Python files by name."""
    files = {"network.yaml": network_yaml, **{f"{name}.py": text for name, text in modules.items()}}
    workspace = files_in(directory, files)
    network = _placed(read(workspace))
    happenings: list[Happening] = []
    async with (
        running(network, workspace, nats=nats, without=without, watch=watch, watcher=happenings.append) as runner,
        connect(workspace.file, nats=nats, name=client) as network_client,
    ):
        yield LiveNetwork(workspace, network, runner, network_client, happenings)


async def eventually(holds: Callable[[], bool | Awaitable[bool]], what: str = "it") -> None:
    """Wait until something holds; fail by name when patience ends."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up:
        found = holds()
        if found if isinstance(found, bool) else await found:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{what} did not come to hold in {PATIENCE_SECONDS:g} s")


@contextmanager
def counting(directory: Path) -> Iterator[Path]:
    """A file that handlers append a line to for every effect, so that effects can be counted across processes."""
    path = directory / "effects"
    path.touch()
    yield path
