"""stdout is data, stderr is talk. Colour is only for a terminal that has not asked for none, and never alone."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import TextIO

from pydantic import BaseModel, JsonValue


def data(text: str) -> None:
    """Print one piece of data, at once: a reader of a stream sees each line when it is there."""
    print(text, flush=True)


def lines(text: str) -> None:
    """Print lines of data; no text is no line."""
    if text:
        data(text)


def talk(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def document(value: JsonValue) -> None:
    """One JSON document, indented for people."""
    data(json.dumps(value, indent=2, ensure_ascii=False))


def line(value: JsonValue) -> None:
    """One JSON document on one line of a stream."""
    data(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def plain(model: BaseModel, *, keep_none: bool = True) -> JsonValue:
    """A model as JSON data under its JSON names."""
    dumped: JsonValue = model.model_dump(mode="json", by_alias=True, exclude_none=not keep_none)
    return dumped


def coloured(stream: TextIO) -> bool:
    """Whether to use colour: NO_COLOR and TERM=dumb say no, FORCE_COLOR yes, otherwise a terminal is asked."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def width(stream: TextIO) -> int | None:
    """The columns of a terminal; None for anything else, which takes lines of any length."""
    return shutil.get_terminal_size().columns if stream.isatty() else None
