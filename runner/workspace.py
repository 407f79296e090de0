"""The directory of one network file: its files, read from inside only, and its environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MAX_FILE_BYTES = 16 * 1024 * 1024

PART_BYTES = 64 * 1024
"""Of a file that is longer than the system said, as one that grows meanwhile, so many are read at a time."""


class OutsideDirectory(Exception):
    """The path leaves the network file's directory."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """`file` is the network file, absolute. Every other path is POSIX, relative to `directory`."""

    file: Path

    @classmethod
    def of(cls, file: str | os.PathLike[str]) -> Workspace:
        return cls(Path(os.path.abspath(file)))

    @property
    def directory(self) -> Path:
        return self.file.parent

    @property
    def state(self) -> Path:
        return self.directory / ".run-network"

    def read(self, path: str) -> bytes:
        """The first MAX_FILE_BYTES + 1 bytes of a file: a reader that sees more than the maximum refuses it.

        Raises OutsideDirectory where the path, or what a link on it points at, leaves the directory, and OSError
        (FileNotFoundError, IsADirectoryError, PermissionError) as reading does.
        """
        target = Path(os.path.realpath(self.directory / path))
        if not target.is_relative_to(os.path.realpath(self.directory)):
            raise OutsideDirectory(path)
        with target.open("rb") as stream:
            return _first(MAX_FILE_BYTES + 1, stream)

    def environment(self) -> Mapping[str, str]:
        """The process environment over what a `.env` beside the file says."""
        return environment_of(self.read)


def _first(most: int, stream: BinaryIO) -> bytes:
    """So many bytes of a file, or all it has.

    It asks for no more at once than the file seems to have: what is asked for is taken from the system before it is
    known how little is needed, and leaves holes in the memory of a process that reads its files at every save.
    """
    parts: list[bytes] = []
    ask = os.fstat(stream.fileno()).st_size + 1  # one more: only what ends before that has not grown meanwhile
    while True:
        ask = min(ask, most)
        parts.append(part := stream.read(ask))
        most -= len(part)
        if len(part) < ask or not most:
            return b"".join(parts)
        ask = PART_BYTES


def environment_of(read: Callable[[str], bytes]) -> Mapping[str, str]:
    """The process environment over what a `.env` says, where there is one."""
    try:
        text = read(".env").decode()
    except (OSError, OutsideDirectory, UnicodeDecodeError):
        return dict(os.environ)
    return {**parse_dotenv(text), **os.environ}


def parse_dotenv(text: str) -> dict[str, str]:
    """`NAME=value` lines; `#` comments, an `export` in front and matching quotes are dropped."""
    pairs = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or name.lstrip().startswith("#"):
            continue
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        pairs[name.strip()] = value
    return pairs
