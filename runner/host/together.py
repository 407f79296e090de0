"""Several steps side by side, of which none is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable


async def together(steps: Iterable[Awaitable[object]]) -> None:
    """All have ended when this returns or raises, which it does with the first that failed.

    `asyncio.gather` by itself raises at once, and the others go on without an owner.
    """
    for outcome in await asyncio.gather(*steps, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
