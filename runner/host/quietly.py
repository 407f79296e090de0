"""A step of something that goes on whatever becomes of the step: a server that is away must not keep the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from logging import Logger

from runner.bus.away import AWAY
from runner.errors import ServerFailed

STEP_SECONDS = 5.0
"""How long one step may take."""


async def quietly(step: Awaitable[None], log: Logger) -> None:
    """It is done when this returns, or `log` says why not: the server is away, or it took too long."""
    try:
        async with asyncio.timeout(STEP_SECONDS):
            await step
    except (*AWAY, ServerFailed) as problem:
        log.warning("while stopping: %s", str(problem) or type(problem).__name__)
