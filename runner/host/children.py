"""What a request under work has asked of others, and has not heard the end of: so that its own end reaches them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from runner.bus.caller import Caller
from runner.capability import CapabilityInfo
from runner.model import Mode
from runner.work import CapabilityType, Status, WorkRequest

LOOKS = 3
LOOK_SECONDS = 0.1
"""A task that nobody knows of may still be on its way into its queue."""


@dataclass(frozen=True, slots=True)
class Child:
    """A request that was sent on, to whom, and whether its result is waited for."""

    provider: CapabilityInfo
    request_id: str
    mode: Mode


@dataclass(slots=True, eq=False)
class Children:
    caller: Caller
    _open: dict[str, Child] = field(default_factory=dict)

    @contextmanager
    def sent(self, provider: CapabilityInfo, request: WorkRequest, mode: Mode) -> Iterator[None]:
        """Around the sending, and the wait where there is one. What is left before its end stays open, and so does what
        nobody waits for; what ends, or is refused, is closed."""
        self._open[request.request_id] = Child(provider, request.request_id, mode)
        yield
        if mode is Mode.AWAIT:
            self.close(request)

    def close(self, request: WorkRequest) -> None:
        """It has its outcome."""
        self._open.pop(request.request_id, None)

    async def recall(self, status: Status) -> None:
        """The request has come to its end: cancel what it waited for, and, where it was cancelled itself, all it sent.

        Of a completed one everything goes on: it had its reasons not to wait.
        """
        if not self._open or status is Status.COMPLETED:
            return
        wanted = [child for child in self._open.values() if status is Status.CANCELLED or child.mode is Mode.AWAIT]
        self._open.clear()
        await asyncio.gather(*map(self._cancel, wanted))

    async def _cancel(self, child: Child) -> None:
        for _ in range(LOOKS):
            standing = await self.caller.cancel(child.provider.provider, child.request_id)
            is_known = standing is not None and standing.status != "UNKNOWN"
            if is_known or child.provider.type is CapabilityType.TOOL:
                return
            await asyncio.sleep(LOOK_SECONDS)
