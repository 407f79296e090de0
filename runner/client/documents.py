"""Documents that a caller puts away: read, and judged before anything is sent."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from secrets import token_hex

from runner.errors import UsageProblem
from runner.payload import Document, Kind, PayloadProblem, kind_of, over_limit

MOST_NAME_CHARACTERS = 512


async def as_document(given: str | os.PathLike[str] | bytes, name: str | None, most: int) -> Document:
    """A file's content, or bytes, under `name` or one that nobody can guess. Raises UsageProblem."""
    if name is not None and not 0 < len(name) <= MOST_NAME_CHARACTERS:
        raise UsageProblem(f"{name[:80]!r} is no name of a document", hint=f"1 to {MOST_NAME_CHARACTERS} characters")
    if isinstance(given, bytes):
        what = "the document"
        _within(what, len(given), most)
        data, kind = given, kind_of(name or "", None)
    else:
        what = str(given)
        data, kind = await asyncio.to_thread(_read, Path(given), most), kind_of(name or str(given), None)
    try:
        value = await asyncio.to_thread(Document(what, data, kind).value)
    except PayloadProblem as problem:
        raise UsageProblem(problem.error.message, hint=problem.error.hint) from problem
    said = kind if kind is not Kind.UNSAID else Kind.TEXT if isinstance(value, str) else Kind.JSON
    return Document(name or token_hex(16), data, said)


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as stream:
            _within(str(path), os.fstat(stream.fileno()).st_size, most)
            data = stream.read(most + 1)
    except OSError as error:
        raise UsageProblem(f"cannot read {path}: {error.strerror}") from None
    _within(str(path), len(data), most)
    return data


def _within(what: str, size: int, most: int) -> None:
    if size > most:
        problem = over_limit(what, size, most)
        raise UsageProblem(problem.error.message, hint=problem.error.hint, code=problem.error.code)
