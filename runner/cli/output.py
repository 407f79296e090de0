"""stdout is data, stderr is talk. Colour is only for a terminal that has not asked for none, and never alone."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
from typing import TextIO

from pydantic import BaseModel, JsonValue

from runner.errors import UsageProblem

_STDERR = 2
_BARE = re.compile(r"[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
"""What JSON may hold as it is and a terminal should not see."""

_reserved: TextIO | None = None


class Unwritable(UsageProblem):
    """stdout cannot be written to."""


def stdout() -> TextIO | None:
    """Where data goes; None where the process was started without."""
    return _reserved or sys.stdout


def reserve() -> None:
    """Keep stdout for data: whatever else prints there from now on, user code and its children, goes to stderr."""
    global _reserved
    if _reserved is not None or sys.stdout is None:
        return
    sys.stdout.flush()
    descriptor = sys.stdout.fileno()
    _reserved = os.fdopen(os.dup(descriptor), "w", encoding=sys.stdout.encoding, errors="backslashreplace")
    os.dup2(_STDERR, descriptor)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)


def prepare() -> None:
    """Once, as the process starts: no file of ours may become a closed stdout, and every character can be written."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stdout is not None and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")


def data(text: str) -> None:
    """Print one piece of data, at once: a reader of a stream sees each line when it is there.

    Raises Unwritable where stdout cannot be written to, BrokenPipeError where its reader has gone.
    """
    stream = stdout()
    if stream is None:
        raise Unwritable("cannot write to stdout: it is closed")
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        abandon(stream)
        raise
    except OSError as error:
        abandon(stream)
        raise Unwritable(f"cannot write to stdout: {error.strerror}") from None


def abandon(stream: TextIO | None) -> None:
    """Let what the stream still holds go nowhere: Python flushes it once more at the end, and must not fail there."""
    if stream is not None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno(), inheritable=False)
        os.close(nowhere)


def lines(text: str) -> None:
    """Print lines of data; no text is no line."""
    if text:
        data(text)


def talk(text: str) -> None:
    """Print to people. Where nobody can hear it, nothing happens."""
    if sys.stderr is not None:
        try:
            print(text, file=sys.stderr, flush=True)
        except OSError:
            abandon(sys.stderr)


def shout(text: str) -> None:
    """The same from a signal handler, which may have interrupted a print."""
    with contextlib.suppress(OSError):
        os.write(_STDERR, f"{text}\n".encode())


def document(value: JsonValue) -> None:
    """One JSON document, indented for people."""
    data(_escaped(json.dumps(value, indent=2, ensure_ascii=False)))


def line(value: JsonValue) -> None:
    """One JSON document on one line of a stream."""
    data(_escaped(json.dumps(value, ensure_ascii=False, separators=(",", ":"))))


def plain(model: BaseModel, *, keep_none: bool = True) -> JsonValue:
    """A model as JSON data under its JSON names."""
    dumped: JsonValue = model.model_dump(mode="json", by_alias=True, exclude_none=not keep_none)
    return dumped


def coloured(stream: TextIO | None) -> bool:
    """Whether to use colour: NO_COLOR and TERM=dumb say no, FORCE_COLOR yes, otherwise a terminal is asked."""
    if stream is None or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def width(stream: TextIO | None) -> int | None:
    """The columns of a terminal; None for anything else, which takes lines of any length."""
    return shutil.get_terminal_size().columns if stream is not None and stream.isatty() else None


def _escaped(text: str) -> str:
    return _BARE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
