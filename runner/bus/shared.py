"""A reading that many ask for at the same time, done once for all of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """One reading after the other. Whoever asks gets one that began after the asking, and all who wait share it.

    What keeps it from being done they are told as well: else each would wait in turn for a server that is away. Between
    two there is a rest as long as the last one took, and `rest_seconds` at most: others have their turn.
    """

    def __init__(self, read: Callable[[], Awaitable[T]], *, rest_seconds: float = 0.0) -> None:
        self._read = read
        self._rest_seconds = rest_seconds
        self._turn = asyncio.Lock()
        self._begun = 0
        self._whole = 0
        self._found: T | Exception | None = None
        self._asking = 0
        self._ready_at = 0.0

    async def read(self) -> T:
        """What was found. Raises what the reading raises."""
        wanted = self._begun + 1
        self._asking += 1
        try:
            async with self._turn:
                if self._whole < wanted:
                    await self._once()
                return _told(self._found)
        finally:
            self._asking -= 1
            if not self._asking:
                self._found = None  # it may be long, and nobody wants it any more

    async def _once(self) -> None:
        if (rest := self._ready_at - time.monotonic()) > 0:
            await asyncio.sleep(rest)
        self._begun += 1
        began = time.monotonic()
        try:
            self._found = await self._read()
        except Exception as problem:  # noqa: BLE001 - it is raised in everybody who waits
            self._found = problem
        self._whole = self._begun
        ended = time.monotonic()
        self._ready_at = ended + min(ended - began, self._rest_seconds)


def _told(found: T | Exception | None) -> T:
    if isinstance(found, Exception):
        raise found
    return found  # type: ignore[return-value]  # None only where that is what was read
