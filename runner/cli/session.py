"""A verb's conversation with a running network."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from runner.cli.interrupts import Interrupts
from runner.cli.load import workspace_to_talk
from runner.cli.presence import explained, readable
from runner.client.connect import connect
from runner.client.network import NetworkClient
from runner.errors import NotRunning

__all__ = ["CALLER", "NetworkClient", "complete", "connect", "conversing"]

T_ = TypeVar("T_")
CALLER = "_cli"
_WIND_UP_SECONDS = 2.0


def conversing(file: str, nats: str | None, talk: Callable[[NetworkClient], Awaitable[T_]]) -> T_:
    """Connect, hold the conversation, close. Raises NotRunning where nothing answers, and UsageProblem where neither
    the file is there nor a network that runs."""
    if nats is None:
        readable(workspace_to_talk(file))

    async def hold() -> T_:
        async with connect(path=file, nats=nats, name=CALLER) as network:
            return await talk(network)

    try:
        return complete(hold())
    except NotRunning as gone:
        raise explained(gone, file, nats) from None


def complete(work: Coroutine[Any, Any, T_], signals: Interrupts | None = None) -> T_:
    """Run the coroutine to its end. Unless `signals` say otherwise the first signal cancels it; that, as any other
    cancellation, is a KeyboardInterrupt here. Nothing that user code left behind holds the return back for long."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(work)
    signals = signals or Interrupts(lambda: _cancel(loop, task))
    signals.take()
    try:
        return loop.run_until_complete(task)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        _wind_up(loop)


def _cancel(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(task.cancel)


def _wind_up(loop: asyncio.AbstractEventLoop) -> None:
    """As `asyncio.run` does, but neither a task that ignores its cancellation nor a thread at work is waited for."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=_WIND_UP_SECONDS))
    closing = loop.create_task(loop.shutdown_asyncgens())
    loop.run_until_complete(asyncio.wait([closing], timeout=_WIND_UP_SECONDS))
    loop.close()
