"""A task in hand of one ensemble: delivered here, perhaps several times, and not acknowledged."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from runner.bus.puller import TaskMessage
from runner.host.claim import Claim
from runner.host.delegation import Delegation
from runner.work import Priority


@dataclass(slots=True, eq=False)
class InHand:
    """A task that was delivered here and is not acknowledged: once, or again while it is worked on."""

    delegation: Delegation
    claim: Claim
    priority: Priority
    messages: dict[int, TaskMessage]
    work: asyncio.Task[object] | None = None
    cancelled: bool = False
    _over: asyncio.Event | None = None

    @property
    def sender(self) -> str:
        """Whom the subject says it is from."""
        return next(iter(self.messages.values())).call.caller

    def cancel(self) -> None:
        self.cancelled = True
        self.delegation.abandon()
        if self.work is not None:
            self.work.cancel()

    async def over(self) -> None:
        """Return when it is in hand no longer."""
        if self._over is None:
            self._over = asyncio.Event()
        await self._over.wait()

    def end(self) -> None:
        """It is in hand no longer."""
        if self._over is not None:
            self._over.set()

    async def alive(self) -> None:
        for message in list(self.messages.values()):
            await message.alive()

    async def ack(self) -> None:
        for message in list(self.messages.values()):
            await message.ack()

    async def give_back(self, delay: float = 0.0) -> None:
        for message in list(self.messages.values()):
            await message.give_back(delay)
