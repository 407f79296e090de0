"""The slots of one ensemble: `max_concurrent` of them, shared by tools and tasks."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable


class Slots:
    """Whoever comes back from a wait goes before whoever asks anew; a free slot is offered to the queues last."""

    def __init__(self, count: int, on_free: Callable[[], None]) -> None:
        self.count = count
        self._taken = 0
        self._returning: deque[asyncio.Future[None]] = deque()
        self._asking: deque[asyncio.Future[None]] = deque()
        self._on_free = on_free

    @property
    def free(self) -> int:
        """How many can be taken now without passing anybody who waits."""
        return self.count - self._taken

    @property
    def waiting(self) -> int:
        """How many tool calls wait for a slot."""
        return len(self._asking)

    def take(self) -> bool:
        """Take a slot if one is free."""
        if self._taken >= self.count:
            return False
        self._taken += 1
        return True

    async def wait(self) -> None:
        """Take a slot, waiting behind those who came before."""
        if not self.take():
            await self._queue(self._asking)

    async def back(self) -> None:
        """Take a slot again after a wait for somebody else."""
        if not self.take():
            await self._queue(self._returning)

    def give(self) -> None:
        """Give a slot to whoever waits, or back."""
        if self._taken <= self.count and self._hand_over():
            return  # the slot changes hands; the count stays
        self._taken -= 1
        if self.free > 0:
            self._on_free()

    def resize(self, count: int) -> None:
        """There are so many from now on: more go to whoever waits, fewer come back as work ends."""
        self.count = count
        while self._taken < count and self._hand_over():
            self._taken += 1
        if self.free > 0:
            self._on_free()

    def _hand_over(self) -> bool:
        """Give a slot to who is next. False: nobody waits."""
        for queue in (self._returning, self._asking):
            while queue:
                heir = queue.popleft()
                if not heir.done():
                    heir.set_result(None)
                    return True
        return False

    async def _queue(self, queue: deque[asyncio.Future[None]]) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give()  # it was handed over in the moment of cancelling
            elif turn in queue:  # not there where `give` came by between the cancelling and now
                queue.remove(turn)
            raise
