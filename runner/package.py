"""The files of a network on their way to a runner: a zip of what it does not have, and the list of them all.

Nothing in it is a secret: references travel as they are written, and stand for what they do where the runner runs.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from runner.bundle import Bundle, Bundled, digest
from runner.workspace import MAX_FILE_BYTES

MAX_PACKAGE_BYTES = 256 * 1024**2
"""Of all files together, as they are packed and as they are unpacked."""

_LIST = "bundle.json"
_BROKEN = (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError, OSError, RuntimeError)
"""What reading a zip raises that is damaged, encrypted or of a method that is not known, or lists no files."""


class NoPackage(Exception):
    """What came is no package of a network's files."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The list of all files, and the contents that came along, by SHA-256."""

    bundle: Bundle
    blobs: Mapping[str, bytes]


def packed(bundled: Bundled, present: Set[str]) -> bytes:
    """The package of a bundle, without the contents that are `present` there already."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(_LIST, bundled.bundle.model_dump_json())
        for sha, data in sorted(bundled.blobs.items()):
            if sha not in present:
                archive.writestr(sha, data)
    return written.getvalue()


def unpacked(data: bytes) -> Unpacked:
    """What a package holds, each content the one that its name says. Raises NoPackage."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            bundle = Bundle.model_validate_json(_content(archive, _LIST))
            wanted = set(bundle.files.values())
            blobs = dict(_blobs(archive, wanted))
    except _BROKEN as problem:
        raise NoPackage(str(problem)) from problem
    for sha, content in blobs.items():
        if digest(content) != sha:
            raise NoPackage(f"a file is not what its name says: {sha}")
    return Unpacked(bundle, blobs)


def _blobs(archive: zipfile.ZipFile, wanted: Set[str]) -> Iterator[tuple[str, bytes]]:
    room = MAX_PACKAGE_BYTES
    for sha in wanted & set(archive.namelist()):
        content = _content(archive, sha)
        room -= len(content)
        if room < 0:
            raise NoPackage("its files are larger than all files together may be")
        yield sha, content


def _content(archive: zipfile.ZipFile, name: str) -> bytes:
    """No more than a file may have, whatever the archive says of itself."""
    with archive.open(name) as stream:
        content = stream.read(MAX_FILE_BYTES + 2)
    if len(content) > MAX_FILE_BYTES + 1:
        raise NoPackage(f"{name} is larger than a file may be")
    return content
