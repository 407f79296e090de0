"""The slot of one request under work: free while it waits for somebody else, taken again before it goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from runner.host.slots import Slots


@dataclass(slots=True, eq=False)
class Turn:
    """Holds a slot from the start. `deadline` is when the request ends; whoever is at the end needs no slot."""

    slots: Slots
    deadline: datetime
    _holding: bool = True
    _since: float = field(default_factory=time.monotonic)
    _before: float = 0.0
    _over: bool = False
    _away: int = 0
    _returning: asyncio.Lock = field(default_factory=asyncio.Lock)

    def abandon(self) -> None:
        """The request is being cancelled: what it waits for gets it no slot back."""
        self._over = True

    @property
    def held_seconds(self) -> float:
        """For how long a slot has been held, in all."""
        return self._before + (time.monotonic() - self._since if self._holding else 0.0)

    def finish(self) -> None:
        """The work is over: give the slot back, if it holds one. Calls that it left running get none."""
        self._over = True
        self._let_go()

    @asynccontextmanager
    async def elsewhere(self) -> AsyncIterator[None]:
        """Wait for somebody else: the slot is free meanwhile, and taken again before the work goes on.

        Several waits may go on at once; the slot comes back with the last. A handler that bounds its own wait goes on
        with a slot too; only a request that is itself at its end goes without.
        """
        self._away += 1
        self._let_go()
        try:
            yield
        finally:
            self._away -= 1
            await self._return()

    async def _return(self) -> None:
        async with self._returning:
            if self._away or self._holding or self._ended:
                return
            await self.slots.back()
            if self._ended:
                self.slots.give()
            else:
                self._holding, self._since = True, time.monotonic()

    def _let_go(self) -> None:
        if self._holding:
            self._before, self._holding = self.held_seconds, False
            self.slots.give()

    @property
    def _ended(self) -> bool:
        return self._over or datetime.now(UTC) >= self.deadline
