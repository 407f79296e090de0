"""Several parts of one piece of work at once: the first that fails ends the others, and is what is raised."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def together() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group that raises its first failure itself, not a group of failures; nothing runs on behind it."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
        return
    except BaseExceptionGroup as failures:
        first = failures.exceptions[0]
    raise first


def is_own_cancellation(error: BaseException) -> bool:
    """Whether this very task is being cancelled; user code may raise CancelledError by itself."""
    current = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and (current is None or current.cancelling() > 0)
