"""The slot of one request under work: free while it waits for somebody else, taken again before it goes on."""

from __future__ import annotations

import asyncio
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
    _over: bool = False
    _away: int = 0
    _returning: asyncio.Lock = field(default_factory=asyncio.Lock)

    def abandon(self) -> None:
        """The request is being cancelled: what it waits for gets it no slot back."""
        self._over = True

    def finish(self) -> None:
        """The work is over: give the slot back, if it holds one. Calls that it left running get none."""
        self._over = True
        if self._holding:
            self._holding = False
            self.slots.give()

    @asynccontextmanager
    async def elsewhere(self) -> AsyncIterator[None]:
        """Wait for somebody else: the slot is free meanwhile, and taken again before the work goes on.

        Several waits may go on at once; the slot comes back with the last. A handler that bounds its own wait goes on
        with a slot too; only a request that is itself at its end goes without.
        """
        self._away += 1
        if self._holding:
            self._holding = False
            self.slots.give()
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
                self._holding = True

    @property
    def _ended(self) -> bool:
        return self._over or datetime.now(UTC) >= self.deadline
