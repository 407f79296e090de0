"""Whether the registrations can be read: what a runner knows stays in use where they cannot, and that is told.

A bucket that somebody deletes or empties says nothing to those who listen to it, so that it is looked at now and then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from runner.bus.away import AWAY
from runner.bus.events import Events
from runner.bus.records import Bucket, BucketState
from runner.endings import ended
from runner.errors import ServerFailed
from runner.event import Event
from runner.host.registry import Registry
from runner.work import Code

LOOK_SECONDS = 1.0
"""How often; each look is one small question to the server."""

_logger = logging.getLogger("runner.host")


class Lookout:
    """Of one runner. `ensure` makes the bucket anew where it is gone."""

    def __init__(
        self, network: str, bucket: Bucket, registry: Registry, events: Events, ensure: Callable[[], Awaitable[None]]
    ) -> None:
        self._network = network
        self._bucket = bucket
        self._registry = registry
        self._events = events
        self._ensure = ensure
        self._seen: BucketState | None = None
        self._looking: asyncio.Task[None] | None = None

    def open(self) -> None:
        self._looking = asyncio.ensure_future(self._look_on())

    async def close(self) -> None:
        await ended(self._looking)

    async def look(self) -> None:
        """Look once, make good what is missing, and tell what has changed."""
        try:
            await self._made_good()
        except (ServerFailed, *AWAY) as problem:
            self._lost(str(problem) or type(problem).__name__)
        else:
            self._found()

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except Exception:  # one look: log, and look again
                _logger.exception("a look at the registrations broke")

    async def _made_good(self) -> None:
        """Raises ServerFailed or what `AWAY` lists."""
        state = await self._bucket.state()
        if state is None:
            self._lost("their bucket is gone")
            await self._ensure()
            state = await self._bucket.state()
            if state is None:
                raise ServerFailed("their bucket is gone")
        before, self._seen = self._seen, state
        is_another = before is not None and before.created != state.created
        if is_another or self._registry.away is not None or state.messages < self._registry.count:
            await self._registry.reload()

    def _lost(self, why: str) -> None:
        if self._registry.away is None:
            self._registry.away = f"the registrations cannot be read since {datetime.now(UTC):%H:%M:%S} UTC: {why}"
            self._tell("BEGAN", f"the registrations cannot be read: {why}; providers that are known stay in use")

    def _found(self) -> None:
        if self._registry.away is not None:
            self._registry.away = None
            self._tell("ENDED", "the registrations can be read again")

    def _tell(self, status: str, message: str) -> None:
        _logger.warning("%s", message)
        self._events.write(
            Event(
                kind=Code.DISCOVERY_UNAVAILABLE,
                at=datetime.now(UTC),
                ensemble=self._network,
                status=status,
                message=message,
            )
        )
