"""What the leader does about generations that are no longer kept, and files that nothing kept refers to."""

from __future__ import annotations

import asyncio
import logging

from runner.bus.away import AWAY
from runner.bus.bundles import Bundles
from runner.errors import ServerFailed

EVERY_SECONDS = 60.0

_log = logging.getLogger("runner.host")


class Tidying:
    """A duty of the leader."""

    def __init__(self, bundles: Bundles) -> None:
        self._bundles = bundles

    async def perform(self, _: int) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self._bundles.tidy()
            except (ServerFailed, *AWAY) as problem:
                _log.debug("old generations could not be forgotten yet: %s", problem)
