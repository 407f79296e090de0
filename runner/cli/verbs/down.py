"""`run-network down`: drain and stop the running network."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Annotated

import typer

from runner.cli import output
from runner.cli.door import FINE, PENDING
from runner.cli.load import workspace_to_talk
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, NetworkFile, Verbose, duration
from runner.cli.presence import ending, has_ended, holder, readable
from runner.cli.session import CALLER, NetworkClient, complete, connect
from runner.errors import EnsembleNetworkError, NotRunning
from runner.state import State
from runner.workspace import Workspace

_POLL_SECONDS = 0.05
_ASK_SECONDS = 10.0
"""How long a runner that holds the directory is asked again before it counts as one that does not answer."""

_LEAST_SECONDS = 1.0
"""Asking takes a moment, whatever --timeout says."""


def run(
    file: NetworkFile = DEFAULT_FILE,
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="When to stop waiting (exit 5).")] = "90s",
    as_json: AsJson = False,
    nats: Nats = None,
    verbose: Verbose = False,
) -> int:
    """Ask every runner of the network to finish what it works on and stop. Queued tasks wait for the next start.

    \b
      run-network down
      run-network down --timeout 10s        exit 5 if it still drains then
    """
    give_up = time.monotonic() + (duration(timeout, "--timeout") or timedelta()).total_seconds()
    state = readable(Workspace.of(file))
    held = state.is_locked()
    if nats is None:
        workspace_to_talk(file)
    if held and nats is None:
        going = _directory_down(file, state, give_up)
    else:
        going = _network_down(file, nats, give_up, gone=lambda: held and not state.is_locked())
    stopped = complete(going)
    if as_json:
        output.document({"status": "STOPPED" if stopped else "PENDING"})
    output.talk("stopped" if stopped else "still draining; `run-network status` shows what is in flight")
    return FINE if stopped else PENDING


def never() -> bool:
    return False


async def _directory_down(file: str, state: State, give_up: float) -> bool:
    """Whether every runner of this directory has let go of it and ended in time. Raises where none answers."""
    pid = holder(state)
    pids: set[int | str] = {pid}
    if not await _asked(file, state, pids, min(give_up, time.monotonic() + _ASK_SECONDS)):
        raise EnsembleNetworkError(f"pid {pid} does not answer, and holds {state.directory}", hint=ending(pid))
    while state.is_locked() or not all(map(has_ended, pids)):
        if time.monotonic() >= give_up:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


async def _asked(file: str, state: State, pids: set[int | str], until: float) -> bool:
    """Whether somebody took the wish to stop in time, or is gone already. Asks again while the server is away.

    `pids` has then the processes of all who were there.
    """
    until = max(until, time.monotonic() + _LEAST_SECONDS)
    while state.is_locked():
        try:
            return await _finished(_stop(file, pids), until)
        except NotRunning:
            if time.monotonic() >= until:
                return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


async def _network_down(file: str, nats: str | None, give_up: float, gone: Callable[[], bool]) -> bool:
    """Whether no runner answers any more, in time; `gone` says that there can be none: the server went with its runner.

    Raises NotRunning where none answered from the start.
    """
    asked = asyncio.Event()

    async def stop_and_listen() -> None:
        async with connect(path=file, nats=nats, name=CALLER) as network:
            await network.stop()
            asked.set()
            await _silence(network)

    if await _finished(stop_and_listen(), give_up, gone):
        return True
    if not asked.is_set():
        raise NotRunning("no runner answers within --timeout")
    return False


async def _finished(work: Coroutine[None, None, None], until: float, needless: Callable[[], bool] = never) -> bool:
    """Whether the work came to its end in time, or needs none. It is not waited for longer: closing may hang too."""
    task = asyncio.ensure_future(work)
    while not task.done() and time.monotonic() < until:
        await asyncio.wait({task}, timeout=_POLL_SECONDS)
        if needless():
            return True
    if task.done():
        task.result()
    return task.done()


async def _stop(file: str, pids: set[int | str]) -> None:
    async with connect(path=file, name=CALLER) as network:
        pids.update(runner.pid for runner in (await network.status()).runners)
        await network.stop()


async def _silence(network: NetworkClient) -> None:
    """Return when no runner answers."""
    try:
        while True:
            await network.status()
            await asyncio.sleep(_POLL_SECONDS)
    except NotRunning:
        return
