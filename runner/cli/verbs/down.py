"""`run-network down`: drain and stop the running network."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Annotated

import typer

from runner.cli import output
from runner.cli.door import FINE, PENDING
from runner.cli.options import DEFAULT_FILE, Nats, NetworkFile, Verbose, duration
from runner.cli.session import NetworkClient, conversing
from runner.state import State
from runner.workspace import Workspace

_POLL_SECONDS = 0.05


def run(
    file: NetworkFile = DEFAULT_FILE,
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="When to stop waiting (exit 5).")] = "90s",
    nats: Nats = None,
    verbose: Verbose = False,
) -> int:
    """Ask every runner of the network to finish what it works on and stop. Queued tasks wait for the next start."""
    limit = duration(timeout, "--timeout") or timedelta()

    async def ask(network: NetworkClient) -> None:
        await network.stop()

    conversing(file, nats, ask)
    if nats is not None:
        output.talk("asked to stop")
        return FINE
    return _wait(State(Workspace.of(file).state), limit)


def _wait(state: State, limit: timedelta) -> int:
    """Until the runner that owns this directory has let go of it, or for as long as the limit."""
    give_up = time.monotonic() + limit.total_seconds()
    while state.is_locked():
        if time.monotonic() >= give_up:
            output.talk("still draining; `run-network status` shows what is in flight")
            return PENDING
        time.sleep(_POLL_SECONDS)
    output.talk("stopped")
    return FINE
