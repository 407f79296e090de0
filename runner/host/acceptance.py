"""Telling a caller that its task is claimed: its position in the queue and when it is likely to be done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from runner.host.workplace import Workplace
from runner.work import TaskAccepted

SOON_SECONDS = 0.002
_WEIGHT = 0.2
"""How much the last service time counts in the running mean."""


class Acceptance:
    """Speaks for one ensemble. The estimate is position × mean service time ÷ slots, as measured here."""

    def __init__(self, workplace: Workplace) -> None:
        self._workplace = workplace
        self._mean_seconds = 0.0
        self._claimed: set[tuple[str, str]] = set()

    def served(self, seconds: float) -> None:
        """A task took this long."""
        self._mean_seconds += (seconds - self._mean_seconds) * (_WEIGHT if self._mean_seconds else 1.0)

    def claim(self, caller: str, request_id: str) -> bool:
        """Whether this is the first claim of a task; it stays claimed until `forget`."""
        key = (caller, request_id)
        first = key not in self._claimed
        self._claimed.add(key)
        return first

    def forget(self, caller: str, request_id: str) -> None:
        self._claimed.discard((caller, request_id))

    @asynccontextmanager
    async def said_soon(self, caller: str, request_id: str) -> AsyncIterator[None]:
        """Tell of a task that starts at once: shortly after, or, where the block ends before that, as it ends.

        A task that is done in no time is then told of in one packet with its answer, and the start waits for none.
        """
        loop = asyncio.get_running_loop()
        telling: list[asyncio.Task[None]] = []
        soon = loop.call_later(SOON_SECONDS, lambda: telling.append(loop.create_task(self.say(caller, request_id, 0))))
        try:
            yield
        finally:
            soon.cancel()
            await (telling[0] if telling else self.say(caller, request_id, 0))

    async def say(self, caller: str, request_id: str, position: int) -> None:
        workplace = self._workplace
        ahead = position / workplace.slots.count
        accepted = TaskAccepted(
            request_id=request_id,
            queue_position=position,
            estimated_completion=timedelta(seconds=round((ahead + 1) * self._mean_seconds, 3)),
            provider=workplace.name,
        )
        subject = workplace.subjects.reply(caller, workplace.name, request_id)
        await workplace.connection.publish(subject, accepted.encode())
