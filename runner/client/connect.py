"""`runner.connect`: the one way into a running network from outside."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from runner.bus.connection import connect as connect_bus
from runner.client.network import NetworkClient
from runner.config.reading import read_network_name
from runner.errors import InvalidNetwork, NotRunning, ServerFailed, UsageProblem
from runner.model import Defaults
from runner.state import RunningNetwork, State
from runner.subjects import outside_caller
from runner.work import Priority
from runner.workspace import Workspace

TAKE_OVER_SECONDS = 5.0
LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Address:
    """Where a network is, and what its requests are like when they do not say."""

    network: str
    urls: tuple[str, ...]
    credentials: str | None = None
    deadline: timedelta = Defaults().deadline
    priority: Priority = Defaults().priority
    max_payload: int = Defaults().max_payload


@asynccontextmanager
async def connect(
    path: str | os.PathLike[str] = "network.yaml", nats: str | None = None, name: str = "client"
) -> AsyncIterator[NetworkClient]:
    """A client of the network that runs beside `path`, or, with `nats`, of the one of that name on that server.

    `name` is who calls: requests are unique by caller and id. The client re-attaches by itself after a lost
    connection. Raises NotRunning where no network answers, UsageProblem for a name that is none.
    """
    workspace = Workspace.of(path)
    try:
        caller = outside_caller(name)
    except ValueError as problem:
        raise UsageProblem(str(problem)) from problem
    address = _named(workspace, nats) if nats else await _announced(workspace)
    client = NetworkClient(address.network, caller, address.deadline, address.priority, address.max_payload, workspace)
    try:
        connection = await connect_bus(
            address.urls, caller=caller, credentials=address.credentials, on_reconnect=client.reattach
        )
    except ServerFailed as problem:
        raise NotRunning(f"no network answers at {', '.join(address.urls)}") from problem
    try:
        await client.attach(connection)
        yield client
    finally:
        await client.detach()
        await connection.close()


async def _announced(workspace: Workspace) -> Address:
    state = State(workspace.state)
    await _taken_over(state)
    running = state.running()
    if running is None or (running.embedded and not state.is_locked()):
        raise NotRunning(f"no network is running in {workspace.directory}")
    return _address(running, running.url)


async def _taken_over(state: State) -> None:
    """The owner of a directory may have gone while others stay: one of them takes its place. Bounded."""
    for _ in range(round(TAKE_OVER_SECONDS / LOOK_SECONDS)):
        if state.is_locked() or not state.is_joined():
            return
        await asyncio.sleep(LOOK_SECONDS)


def _named(workspace: Workspace, nats: str) -> Address:
    """Whoever runs here and uses this server has told the name; else the file has it."""
    running, urls = State(workspace.state).running(), tuple(nats.split(","))
    if running is not None and set(urls) & set(running.url):
        return _address(running, urls)
    try:
        name = read_network_name(workspace, workspace.file.name, workspace.environment())
    except InvalidNetwork as problem:
        hint = f"--nats needs the `network:` line of {workspace.file.name}"
        raise UsageProblem(problem.diagnostics[0].message, hint=hint) from problem
    return Address(name, urls)


def _address(running: RunningNetwork, urls: tuple[str, ...]) -> Address:
    deadline = timedelta(seconds=running.deadline_seconds)
    return Address(running.network, urls, running.credentials, deadline, running.priority, running.max_payload)
