"""The files of a network's directory, each read once."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Protocol

from runner.config.codes import Rule
from runner.workspace import MAX_FILE_BYTES, OutsideDirectory


class Source(Protocol):
    """Where files come from; `runner.workspace.Workspace` is one."""

    def read(self, path: str) -> bytes:
        """At most MAX_FILE_BYTES + 1 bytes of the file. Raises OSError and OutsideDirectory."""
        ...


@dataclass(frozen=True, slots=True)
class Unread:
    """Why a file could not be read."""

    code: Rule
    message: str
    hint: str | None = None


class Library:
    """Reads each file once. A path is what the network file's directory calls it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._shelf: dict[str, bytes | Unread] = {}

    def contents(self) -> dict[str, bytes]:
        """Every file that was read and could be, by path."""
        return {path: data for path, data in self._shelf.items() if not isinstance(data, Unread)}

    def read(self, path: str, *, said_in: str) -> tuple[str, bytes | Unread]:
        """What a file says, by a path relative to the folder of the file `said_in`; and its path from the top."""
        place = located(path, said_in=said_in)
        if place is None:
            return path, _outside(path)
        if place not in self._shelf:
            self._shelf[place] = self._fetch(place, path)
        return place, self._shelf[place]

    def text(self, path: str, *, said_in: str) -> str | Unread:
        """The same as text."""
        _, data = self.read(path, said_in=said_in)
        if isinstance(data, Unread):
            return data
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return Unread(Rule.UNREADABLE_FILE, f"`{path}` is not UTF-8 text", "save the file as UTF-8")

    def fetch(self, path: str) -> bytes | Unread:
        """A file by its path from the top."""
        return self.read(path, said_in="")[1]

    def _fetch(self, place: str, shown: str) -> bytes | Unread:
        looked_for = f"looked for `{place}`" if place != shown else None
        try:
            data = self._source.read(place)
        except OutsideDirectory:
            return _outside(shown)
        except FileNotFoundError:
            return Unread(Rule.MISSING_FILE, f"there is no file `{shown}`", looked_for)
        except IsADirectoryError:
            return Unread(Rule.UNREADABLE_FILE, f"`{shown}` is a folder", "name a file")
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or "its name is none"
            return Unread(Rule.UNREADABLE_FILE, f"`{shown}` cannot be read: {reason.lower()}")
        if len(data) > MAX_FILE_BYTES:
            return Unread(Rule.TOO_LARGE, f"`{shown}` is larger than {MAX_FILE_BYTES // 2**20} MB")
        return data


def located(path: str, *, said_in: str) -> str | None:
    """A path that the file `said_in` says, from the network file's directory. None where it leaves that."""
    place = posixpath.normpath(posixpath.join(posixpath.dirname(said_in), path))
    return None if posixpath.isabs(path) or place == ".." or place.startswith("../") else place


def _outside(path: str) -> Unread:
    hint = "keep it in the folder of the network file, and name it by a relative path"
    return Unread(Rule.PATH_OUTSIDE, f"`{path}` leaves the network file's directory", hint)


def module_path(module: str) -> str:
    """The file of a module that stands beside the file which names it: dots are folders."""
    return f"{module.replace('.', '/')}.py"


def is_prompt_file(instructions: str) -> bool:
    """Whether instructions are the path of a file rather than a text: no white space, and a prompt's ending."""
    return instructions.endswith((".md", ".txt", ".j2")) and not any(letter.isspace() for letter in instructions)
