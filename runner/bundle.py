"""The files that a network consists of, by content: what is applied, kept as history and handed to other runners.

In it is every file that reading the network file touched, and every module that the named ones import from beside
them. Not in it is what stands for a secret: `.env`, and files that only `${file:…}` names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from runner.work import Wire


class Bundle(Wire):
    """`files` are paths from the directory of the network file `file`, each with the SHA-256 of its content."""

    file: str
    files: dict[str, str]

    @cached_property
    def folders(self) -> frozenset[str]:
        """Every folder that a file is in."""
        return frozenset(path[:at] for path in self.files for at, letter in enumerate(path) if letter == "/")

    @cached_property
    def hash(self) -> str:
        """The same for the same files, whatever their order."""
        told = {"file": self.file, "files": dict(sorted(self.files.items()))}
        return digest(json.dumps(told, separators=(",", ":")).encode())


@dataclass(frozen=True, slots=True)
class Bundled:
    """A bundle with the content of its files; itself a source to read the network from."""

    bundle: Bundle
    blobs: Mapping[str, bytes]

    @classmethod
    def of(cls, file: str, contents: Mapping[str, bytes]) -> Bundled:
        """The bundle of these files, by path."""
        files = {path: digest(data) for path, data in sorted(contents.items())}
        return cls(Bundle(file=file, files=files), {files[path]: data for path, data in contents.items()})

    def read(self, path: str) -> bytes:
        """The content of a file. Raises IsADirectoryError and FileNotFoundError as a directory would."""
        found = self.bundle.files.get(path)
        if found is not None:
            return self.blobs[found]
        if path in self.bundle.folders:
            raise IsADirectoryError(path)
        raise FileNotFoundError(path)

    def content(self, path: str) -> bytes | None:
        """The content of a file, or None where there is none."""
        found = self.bundle.files.get(path)
        return self.blobs[found] if found is not None else None


def differing(before: Bundle | None, after: Bundle) -> tuple[str, ...]:
    """The paths of the files that only one of two bundles has, or each with another content, in order."""
    earlier, later = before.files if before is not None else {}, after.files
    return tuple(path for path in sorted(earlier.keys() | later.keys()) if earlier.get(path) != later.get(path))


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
