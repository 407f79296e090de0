"""What clients of a directory are told: where its network is, by whoever is there to tell."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from runner.endings import ended
from runner.state import RunningNetwork, State, runs

LOOK_SECONDS = 0.25


class Announcement:
    """Made while `speaks` holds, again when its author is gone or it is another, and withdrawn by `close` unless others
    stay. `running` is what there is to tell now.
    """

    def __init__(
        self,
        state: State,
        running: Callable[[], RunningNetwork],
        speaks: Callable[[], bool],
        deleted: Callable[[], None],
    ) -> None:
        self._state = state
        self._running = running
        self._speaks = speaks
        self._deleted = deleted
        self._directory = os.open(state.directory, os.O_RDONLY)  # open, its number is given to no other directory
        self._keeping: asyncio.Task[None] | None = None

    def open(self) -> None:
        if self._speaks():
            self._state.announce(self._running())
        self._keeping = asyncio.ensure_future(self._keep())

    async def close(self) -> None:
        await ended(self._keeping)
        os.close(self._directory)
        if not self._state.is_joined():
            self._state.withdraw(os.getpid())

    async def _keep(self) -> None:
        """The author may be killed, or leave before the others do.

        A directory that somebody deleted is made again, where no server of ours keeps its store in it. Otherwise
        `deleted` is called, once: the lock holds nothing any more, and another runner may make the directory anew.
        """
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._is_deleted():
                if self._running().embedded:
                    return self._deleted()
                self._make_again()
            if self._is_due() and self._speaks():
                self._state.announce(self._running())

    def _make_again(self) -> None:
        self._state.prepare()
        os.close(self._directory)
        self._directory = os.open(self._state.directory, os.O_RDONLY)

    def _is_deleted(self) -> bool:
        try:
            return not os.path.samestat(os.fstat(self._directory), os.stat(self._state.directory))
        except FileNotFoundError:
            return True

    def _is_due(self) -> bool:
        """Whether nobody who lives has told, or this runner did and what it takes requests for has changed."""
        last, now = self._state.running(), self._running()
        if last is None or not runs(last.pid):
            return True
        return last != now if last.pid == now.pid else now.embedded
