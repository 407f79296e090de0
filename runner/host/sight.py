"""Where on the disk that comes from what reading a directory looked at."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from runner.workspace import Workspace

MOST_LINKS = 40
"""As many as the kernel follows."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Where to look for changes of files.

    `places` are the paths at which a change can change one of them: each file, the folders that lead to it below the
    network file's, and every link on the way, with what it leads to. `folders` are those to watch, told apart by what
    they are and not only by name: a folder that is replaced is another.
    """

    places: frozenset[str]
    folders: Mapping[str, tuple[int, int]]


def sight(workspace: Workspace, paths: Iterable[str]) -> Sight:
    """What to watch of everything that reading looked at. Folders that are not there are watched for from above."""
    directory = str(workspace.directory)
    tops = tuple(f"{top}/" for top in (directory, os.path.realpath(directory)))
    ways: dict[str, _Way] = {}
    found: set[str] = set()
    for path in paths:
        if "\0" not in path:
            found |= _places(os.path.join(directory, path), ways)
    links = {place for place in _way(directory).places if os.path.islink(place)}
    places = frozenset(links | {place for place in found if place.startswith(tops)})
    return Sight(places, dict(_folders(places)))


def _folders(places: Iterable[str]) -> Iterator[tuple[str, tuple[int, int]]]:
    """Those that are there, of these places."""
    for folder in sorted({os.path.dirname(place) for place in places}):
        try:
            found = os.stat(folder)
        except OSError:
            continue
        yield folder, (found.st_dev, found.st_ino)


@dataclass(frozen=True, slots=True)
class _Way:
    """The names that the kernel looks up to find a path, links followed, and where that ends."""

    places: tuple[str, ...]
    end: str


def _places(path: str, ways: dict[str, _Way]) -> set[str]:
    """Everything on the way to a file. `ways` are those to folders that are known: most files share one."""
    folder, name = os.path.split(path)
    if folder not in ways:
        ways[folder] = _way(folder)
        return {*ways[folder].places, *_way(path).places}
    place = os.path.join(ways[folder].end, name)
    return {*_way(path).places} if name in ("", ".", "..") or os.path.islink(place) else {place}


def _way(path: str) -> _Way:
    waiting, at, links = path.split("/")[::-1], "/", 0
    places: list[str] = []
    while waiting:
        name = waiting.pop()
        if name in ("", "."):
            continue
        if name == "..":
            at = os.path.dirname(at)
            continue
        at = os.path.join(at, name)
        places.append(at)
        if os.path.islink(at) and links < MOST_LINKS:
            links += 1
            target = os.readlink(at)
            at = "/" if target.startswith("/") else os.path.dirname(at)
            waiting += target.split("/")[::-1]
    return _Way(tuple(places), at)
