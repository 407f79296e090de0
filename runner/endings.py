"""How a task ends: whoever owns it cancels it and waits until it is done.

A cancellation may be lost. Before Python 3.12 `asyncio.wait_for` drops one that comes as what it waits for is done
(https://github.com/python/cpython/issues/86296); libraries use it, and so may users' code. The task then goes on as if
nothing had been said, and whoever waited for its end would wait for ever. So it is cancelled again until it has ended.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

AGAIN_SECONDS = 1.0
"""How long what is cancelled may take to end, before it is cancelled once more."""

UNDOING_SECONDS = 15.0
"""The same for one that first takes back what it began: a second cancellation would leave that half done."""

WITHIN_SECONDS = 10.0
"""How long ending may take altogether."""

_log = logging.getLogger("runner.endings")


async def ended(
    *tasks: asyncio.Future[Any] | None, again: float = AGAIN_SECONDS, within: float = WITHIN_SECONDS
) -> None:
    """Cancel these, every `again` seconds, and return when all of them are done. None is no task.

    What has not ended after `within` seconds is left behind, and named in the log. What a task raised stays in it.
    """
    loop = asyncio.get_running_loop()
    give_up = loop.time() + within
    left = {task for task in tasks if task is not None and not task.done()}
    while left and (remaining := give_up - loop.time()) > 0:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=min(again, remaining))
    for name in sorted(map(_named, left)):
        _log.warning("%s has not ended %g s after it was cancelled: it is left behind", name, within)


async def undone(*tasks: asyncio.Future[Any] | None) -> None:
    """The same, for tasks that take back what they began when they are cancelled."""
    await ended(*tasks, again=UNDOING_SECONDS, within=3 * UNDOING_SECONDS)


def _named(task: asyncio.Future[Any]) -> str:
    """What it does, and where it stands."""
    if not isinstance(task, asyncio.Task):
        return repr(task)
    coroutine: Any = task.get_coro()
    given = task.get_name()
    name = getattr(coroutine, "__qualname__", given) if given.startswith("Task-") else given
    stack = task.get_stack()
    return f"{name}, at {stack[-1].f_code.co_filename}:{stack[-1].f_lineno}," if stack else name
