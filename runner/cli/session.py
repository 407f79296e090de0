"""A verb's conversation with a running network."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from runner.client.connect import connect
from runner.client.network import NetworkClient

__all__ = ["CALLER", "NetworkClient", "complete", "connect", "conversing"]

T_ = TypeVar("T_")
CALLER = "_cli"


def conversing(file: str, nats: str | None, talk: Callable[[NetworkClient], Awaitable[T_]]) -> T_:
    """Connect, hold the conversation, close. Raises NotRunning where nothing answers."""

    async def hold() -> T_:
        async with connect(path=file, nats=nats, name=CALLER) as network:
            return await talk(network)

    return complete(hold())


def complete(work: Coroutine[Any, Any, T_]) -> T_:
    """Run the coroutine to its end. Ctrl-C cancels it; that, as any other cancellation, is a KeyboardInterrupt here."""
    try:
        return asyncio.run(work)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
