"""Tells when files of a directory are no longer what reading saw: by folder, so that files may be replaced, swapped
behind a link, deleted and made anew; and by content, so that a touch is nothing and a same-sized edit is something."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import TypeVar

from watchfiles import Change, awatch

from runner.endings import ended
from runner.functions.threads import DaemonThreads
from runner.host.looking import Ending, Looking
from runner.host.sight import Sight, sight
from runner.workspace import Workspace

STEP_MILLISECONDS = 25
"""Changes are told once so long nothing more has happened, or after DEBOUNCE_MILLISECONDS."""

DEBOUNCE_MILLISECONDS = 50
LOOK_SECONDS = 10.0
"""How long looking at the files may take."""

STEADY_SECONDS = 1.0
"""For how long files may go on changing while they are read. Then they are taken as they were read: when they change no
more, they are read once more anyway."""

TORN_SECONDS = 0.5
"""How long a file that was just changed, and looks like the beginning of one, may take until the rest is there. Whoever
writes it in place has emptied it before."""

AGAIN_SECONDS = 0.1
"""When a folder vanished as it was about to be watched, or the disk took too long."""

_T = TypeVar("_T")


class Watch:
    """Of one directory. `looked` is the look at every file that matters, and is set by whoever reads them."""

    def __init__(self, workspace: Workspace) -> None:
        self.looked = Looking(workspace)
        self._workspace = workspace
        self._endings: dict[str, Ending] = {}
        self._threads = DaemonThreads(2, "watch")

    async def changes(self) -> AsyncGenerator[None, None]:
        """Yields once at first, and each time when the files are not as they were seen: what changes meanwhile is
        told as one, afterwards.

        Raises OSError where the system watches nothing more. Close it in the task that iterates.
        """
        looked = False
        while True:
            try:
                where = await self.in_thread(self._sight)
                async with aclosing(_batches(where)) as batches:
                    async for _ in batches:
                        if not looked or not await self._is_same():
                            looked = True
                            yield
                        if where != await self.in_thread(self._sight):
                            break
            except (FileNotFoundError, TimeoutError):
                await asyncio.sleep(AGAIN_SECONDS)

    def _sight(self) -> Sight:
        return sight(self._workspace, {self._workspace.file.name, *self.looked.seen})

    async def _is_same(self) -> bool:
        """Whether every file still says what was seen of it, and those that were not there are still missing."""
        before = self.looked
        now = await self.in_thread(before.again)
        if now.seen != before.seen:
            return False
        self.looked = now
        return True

    async def look(self, read: Callable[[Looking], _T]) -> _T:
        """What `read` makes of the files; not in the middle of a save, unless saves follow each other without a pause.

        It is read once more where a file was saved just before or meanwhile, and where a second look finds another
        content: two looks that agree have seen what was there at one moment (Afek et al., "Atomic Snapshots of Shared
        Memory", 1993), also where files are swapped that were written long ago.
        """
        began = time.monotonic()
        while True:
            took = time.monotonic() - began
            looking = Looking(self._workspace, self.looked)
            try:
                found = await self.in_thread(partial(read, looking))
            finally:
                self.looked = looking
            is_hasty = took <= DEBOUNCE_MILLISECONDS / 1000 and looking.is_hasty(STEP_MILLISECONDS)
            if not is_hasty and (took > STEADY_SECONDS or (await self._is_same() and await self._is_whole())):
                self._endings = looking.endings()
                return found
            await asyncio.sleep(STEP_MILLISECONDS / 1000)

    async def _is_whole(self) -> bool:
        """False as soon as a file says something else that looked torn. One that stays so is what it is."""
        began = time.monotonic()
        while self.looked.is_torn(round(TORN_SECONDS * 1000), self._endings):
            if time.monotonic() - began > TORN_SECONDS:
                break
            await asyncio.sleep(STEP_MILLISECONDS / 1000)
            if not await self._is_same():
                return False
        return True

    async def in_thread(self, look: Callable[[], _T]) -> _T:
        """What looking at files gives, however slow the disk is. Raises TimeoutError after LOOK_SECONDS."""
        async with asyncio.timeout(LOOK_SECONDS):
            return await asyncio.get_running_loop().run_in_executor(self._threads, look)

    def close(self) -> None:
        self._threads.shutdown()


async def _batches(where: Sight) -> AsyncGenerator[None, None]:
    """Once it watches, for what happened before; then after each burst of changes at the places."""

    def matters(_: Change, path: str) -> bool:
        return path in where.places

    over = asyncio.Event()
    async with aclosing(
        awatch(
            *where.folders,
            stop_event=over,
            watch_filter=matters,
            step=STEP_MILLISECONDS,
            debounce=DEBOUNCE_MILLISECONDS,
            recursive=False,
            ignore_permission_denied=True,
        )
    ) as changes:
        upcoming = asyncio.ensure_future(anext(changes))
        try:
            await asyncio.sleep(0)  # it watches from its first turn on
            while True:
                yield
                await asyncio.shield(upcoming)
                upcoming = asyncio.ensure_future(anext(changes))
        finally:
            over.set()  # it loses a cancellation that comes as it tells of a change
            await ended(upcoming)
            if upcoming.done() and not upcoming.cancelled():
                upcoming.exception()
