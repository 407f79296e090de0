"""What reading a directory looked at, and where on the disk that comes from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.bundle import digest
from runner.workspace import OutsideDirectory, Workspace

MOST_LINKS = 40
"""As many as the kernel follows."""


class Looking:
    """A source that remembers what it was asked for: the digest of each file, None for one that could not be read."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.seen: dict[str, str | None] = {}

    def read(self, path: str) -> bytes:
        """As the workspace reads."""
        self.seen[path] = None
        data = self._workspace.read(path)
        self.seen[path] = digest(data)
        return data


def is_as(workspace: Workspace, seen: Mapping[str, str | None]) -> bool:
    """Whether every file still says what was seen of it, and those that were not there are still missing."""
    now = Looking(workspace)
    return all(_digest(now, path) == before for path, before in seen.items())


def _digest(looking: Looking, path: str) -> str | None:
    try:
        looking.read(path)
    except (OSError, OutsideDirectory, ValueError):
        return None
    return looking.seen[path]


@dataclass(frozen=True, slots=True)
class Sight:
    """Where to look for changes of files.

    `places` are the paths at which a change can change one of them: each file, the folders that lead to it below the
    network file's, and every link on the way, with what it leads to. `folders` are those to watch, told apart by what
    they are and not only by name: a folder that is replaced is another.
    """

    places: frozenset[str]
    folders: Mapping[str, tuple[int, int]]


def sight(workspace: Workspace, seen: Mapping[str, str | None]) -> Sight:
    """What to watch of everything that reading looked at. Folders that are not there are watched for from above."""
    places: set[str] = set()
    for path in seen:
        if "\0" not in path:
            places |= _places(workspace.directory, path)
    folders = {}
    for folder in sorted({os.path.dirname(place) for place in places}):
        try:
            found = os.stat(folder)
        except OSError:
            continue
        folders[folder] = (found.st_dev, found.st_ino)
    return Sight(frozenset(places), folders)


def _places(directory: Path, path: str) -> set[str]:
    """The links above the directory, and everything on the way from there to the file."""
    links = {place for place in _way(str(directory)) if os.path.islink(place)}
    below = str(directory)
    return links | {place for place in _way(os.path.join(below, path)) if _is_below(place, below)}


def _is_below(place: str, directory: str) -> bool:
    return any(place.startswith(f"{top}/") for top in (directory, os.path.realpath(directory)))


def _way(path: str) -> Iterator[str]:
    """Every name that the kernel looks up to find an absolute path, links followed."""
    waiting, at, links = path.split("/")[::-1], "/", 0
    while waiting:
        name = waiting.pop()
        if name in ("", "."):
            continue
        if name == "..":
            at = os.path.dirname(at)
            continue
        at = os.path.join(at, name)
        yield at
        if os.path.islink(at) and links < MOST_LINKS:
            links += 1
            target = os.readlink(at)
            at = "/" if target.startswith("/") else os.path.dirname(at)
            waiting += target.split("/")[::-1]
