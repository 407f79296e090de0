"""What clients of a directory are told: where its network is, by whoever is there to tell."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from runner.state import RunningNetwork, State, runs

LOOK_SECONDS = 0.25


class Announcement:
    """Made while `speaks` holds, again when its author is gone, and withdrawn by `close` unless others stay."""

    def __init__(self, state: State, running: RunningNetwork, speaks: Callable[[], bool]) -> None:
        self._state = state
        self._running = running
        self._speaks = speaks
        self._keeping: asyncio.Task[None] | None = None

    def open(self) -> None:
        if self._speaks():
            self._state.announce(self._running)
        self._keeping = asyncio.ensure_future(self._keep())

    async def close(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait((self._keeping,))
        if not self._state.is_joined():
            self._state.withdraw(os.getpid())

    async def _keep(self) -> None:
        """The author may be killed, or leave before the others do."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._is_missing() and self._speaks():
                self._state.announce(self._running)

    def _is_missing(self) -> bool:
        last = self._state.running()
        if last is None or not runs(last.pid):
            return True
        return self._running.embedded and last.pid != self._running.pid
