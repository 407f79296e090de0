"""Room on the disk of the server's store. A server that once could not write stays wedged until it is started again."""

from __future__ import annotations

import os
from enum import Enum, auto
from pathlib import Path

from runner.bus.server_config import MAX_PAYLOAD_BYTES

FULL_BYTES = 2 * MAX_PAYLOAD_BYTES
"""With less than this the next write may fail."""

ROOM_BYTES = 2 * FULL_BYTES


class Change(Enum):
    FULL = auto()
    ROOM = auto()


class Disk:
    """The disk that a directory is on, looked at from time to time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._full = False

    def change(self) -> Change | None:
        """What has changed since the last look. One that cannot be looked at does not change."""
        try:
            found = os.statvfs(self._directory)
        except OSError:
            return None
        free = found.f_bavail * found.f_frsize
        if not self._full and free < FULL_BYTES:
            self._full = True
            return Change.FULL
        if self._full and free >= ROOM_BYTES:
            self._full = False
            return Change.ROOM
        return None
