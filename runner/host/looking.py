"""What reading a directory looked at. What nobody has touched since the look before is not read again."""

from __future__ import annotations

import os
import posixpath
import stat
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.bundle import digest
from runner.workspace import OutsideDirectory, Workspace

SETTLED_NANOSECONDS = 2_000_000_000
"""A file that was changed so shortly before it was read may be changed once more and look the same: the clocks of file
systems go in steps of up to two seconds. Such a file is read every time, as git does with its index."""

Mark = tuple[int, ...]
"""Where a file is, its size, and when it and its inode were changed: another one after every change."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A file as it was read. Without a mark, only reading it again tells whether it is another."""

    data: bytes
    digest: str
    mark: Mark | None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a file ended, whose digest that was. `last` is its last byte, none of an empty one."""

    digest: str
    last: bytes


class Looking:
    """A source that remembers what it was asked for: the digest of each file, None for one that could not be read.

    It gives what the workspace gives. `before` is an earlier look at the same directory.
    """

    def __init__(self, workspace: Workspace, before: Looking | None = None) -> None:
        self._workspace = workspace
        self._began = time.time_ns()
        self._before = before._found if before is not None else {}
        self._found: dict[str, _Read] = {}
        self._folders: dict[str, str | None] = {}
        self._changed: dict[str, int] = {}
        self.seen: dict[str, str | None] = {}

    def read(self, path: str) -> bytes:
        """As the workspace reads."""
        self.seen[path] = None
        mark = self._mark(path)
        found = self._before.get(path)
        if found is None or mark is None or found.mark != mark:
            data = self._workspace.read(path)
            found = _Read(data, digest(data), mark if self._is_settled(mark) else None)
            self._note_time(path, self._mark(path))  # it may have been saved since the first
        self._found[path] = found
        self.seen[path] = found.digest
        return found.data

    def is_hasty(self, milliseconds: int) -> bool:
        """Whether a file was saved so shortly before, or meanwhile, that the rest of a save may be still to come."""
        return any(True for _ in self._changed_within(milliseconds))

    def is_torn(self, milliseconds: int, before: Mapping[str, Ending]) -> bool:
        """Whether a file that was changed so shortly before looks like the beginning of one: it is empty, or its last
        line has no end. `before` are the endings of an earlier look: what was so then is no sign.

        What says something else than then was just changed, whatever its time: as ext4 empties a file, that is seen
        before its time is another.
        """
        just = set(self._changed_within(milliseconds))
        return any(
            _is_cut(now.last, None if was is None else was.last)
            for path, now in self.endings().items()
            if (was := before.get(path)) != now and (was is not None or path in just)
        )

    def endings(self) -> dict[str, Ending]:
        """Of each file that could be read."""
        return {path: Ending(found.digest, found.data[-1:]) for path, found in self._found.items()}

    def _changed_within(self, milliseconds: int) -> Iterable[str]:
        since = self._began - milliseconds * 1_000_000
        return (path for path, at in self._changed.items() if at > since)

    def again(self) -> Looking:
        """Another look, now, at everything that this one saw or missed."""
        now = Looking(self._workspace, self)
        now.look_at(self.seen)
        return now

    def look_at(self, paths: Iterable[str]) -> None:
        """See what these say, or that they cannot be read."""
        for path in paths:
            try:
                self.read(path)
            except (OSError, OutsideDirectory, ValueError):
                continue

    def _mark(self, path: str) -> Mark | None:
        """None where only reading tells: behind a link, or where there is no such file."""
        folder, name = posixpath.split(path)
        if folder not in self._folders:
            self._folders[folder] = self._inside(folder)
        inside = self._folders[folder]
        if inside is None:
            return None
        try:
            found = os.lstat(os.path.join(inside, name))
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def _inside(self, folder: str) -> str | None:
        """Where a folder is, links followed; None where that is outside the directory."""
        try:
            place = os.path.realpath(self._workspace.directory / folder)
        except ValueError:
            return None
        return place if Path(place).is_relative_to(os.path.realpath(self._workspace.directory)) else None

    def _note_time(self, path: str, mark: Mark | None) -> None:
        if mark is not None and mark[-2] <= self._began + SETTLED_NANOSECONDS:  # else by a clock that is ahead
            self._changed[path] = mark[-2]

    def _is_settled(self, mark: Mark | None) -> bool:
        return mark is not None and max(mark[-2:]) + SETTLED_NANOSECONDS < self._began


def _is_cut(now: bytes, before: bytes | None) -> bool:
    """By the last byte of a file. Who never ends the last line does not end it either."""
    if not now:
        return before != b""
    return now != b"\n" and before in (None, b"", b"\n")
