"""A task in hand of one ensemble: delivered here, perhaps several times, and not acknowledged."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pydantic import JsonValue

from runner.bus.puller import TaskMessage
from runner.host.checkpoints import Checkpoints
from runner.host.claim import Claim
from runner.host.delegation import Delegation
from runner.host.progress import Progress
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
    passed: bool = False
    """It was handed off and is somebody else's, or its outcome is on record: only our message is left."""
    progress: Progress | None = None
    kept: Checkpoints | None = None
    _over: asyncio.Event | None = None

    @property
    def sender(self) -> str:
        """Whom the subject says it is from."""
        return next(iter(self.messages.values())).call.caller

    @property
    def is_repeat(self) -> bool:
        """Whether it was published before, and this publication is delivered for the first time."""
        first = next(iter(self.messages.values()))
        return first.publication > 0 and first.deliveries == 1

    def partial(self) -> dict[str, JsonValue] | None:
        """The outputs of the steps that are finished by now."""
        return self.progress.partial() if self.progress else None

    def cancel(self) -> bool:
        """Stop the work. False where there is none any more."""
        if self.passed:
            return False
        self.cancelled = True
        self.delegation.abandon()
        if self.work is not None:
            self.work.cancel()
        return True

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
