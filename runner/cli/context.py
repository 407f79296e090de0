"""What `call` sends: TEXT, stdin, or a JSON file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NoReturn

from pydantic import JsonValue

from runner.errors import UsageProblem


def to_send(text: str | None, file: str | None) -> JsonValue:
    """Raises UsageProblem for two of them, what cannot be read, and what is no JSON."""
    if file is None:
        return _stdin().removesuffix("\n").removesuffix("\r") if text == "-" else text or ""
    if text is not None:
        raise UsageProblem("TEXT and --input exclude each other")
    try:
        read: JsonValue = json.loads(_stdin() if file == "-" else _file(file), parse_constant=_no_number)
    except ValueError as error:
        raise UsageProblem(f"{file} is not JSON: {error}") from None
    except RecursionError:
        raise UsageProblem(f"{file} is nested too deeply") from None
    return read


def sole(document: str | None, text: str | None, file: str | None) -> str | None:
    """The document, where it is all there is to send. Raises UsageProblem."""
    if document is None:
        return None
    if text is not None or file is not None:
        raise UsageProblem("--document stands alone: TEXT and --input exclude it")
    if not Path(document).is_file():
        raise UsageProblem(f"cannot read {document}: it is no file")
    return document


def _stdin() -> str:
    if sys.stdin is None:
        raise UsageProblem("cannot read stdin: it is closed")
    try:
        return sys.stdin.buffer.read().decode()
    except OSError as error:
        raise UsageProblem(f"cannot read stdin: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageProblem(f"stdin is not UTF-8: {error.reason} at byte {error.start}") from None


def _file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageProblem(f"cannot read {path}: {error.strerror}") from None


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")
