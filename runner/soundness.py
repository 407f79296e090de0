"""What can be carried: written down, sent, read back by the other side, and shown."""

from __future__ import annotations

import math
import re

from pydantic import JsonValue

MAX_DEPTH = 100
"""JSON parsers refuse deep nesting, pydantic's at about 200; what wraps the value on its way is nested too."""

_MAX_BITS = 13_000
"""Some 3,900 digits; pydantic's parser refuses an integer of more than 4,300."""

_UNFIT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def cleaned(text: str) -> str:
    """Text fit for a record and a terminal: `�` stands for lone surrogates and for control characters.

    Line breaks and tabs stay; escape sequences lose what makes them one.
    """
    return _UNFIT.sub("�", text.replace("\r\n", "\n"))


def unsound(value: JsonValue) -> str | None:
    """Why the value cannot be carried, in words that follow "it has"; None where it can."""
    match value:
        case str():
            return _text(value)
        case dict() | list():
            return _structure(value)
        case _:
            return _scalar(value)


def _structure(value: JsonValue) -> str | None:
    """Deepest first, so that a value that contains itself comes to an end."""
    pending: list[tuple[JsonValue, int]] = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        match item:
            case str():
                fault = _text(item)
            case dict() | list() if depth > MAX_DEPTH:
                fault = f"values nested more than {MAX_DEPTH} deep"
            case dict():
                fault = next(filter(None, map(_key, item)), None)
                pending += [(part, depth + 1) for part in item.values()]
            case list():
                fault = None
                pending += [(part, depth + 1) for part in item]
            case _:
                fault = _scalar(item)
        if fault is not None:
            return fault
    return None


def _scalar(value: object) -> str | None:
    match value:
        case None | bool():
            return None
        case int():
            return "an integer of thousands of digits" if value.bit_length() > _MAX_BITS else None
        case float():
            return None if math.isfinite(value) else f"the number {value}"
        case _:
            return f"a value that is no JSON but a {type(value).__name__}"


def _key(key: object) -> str | None:
    return _text(key) if isinstance(key, str) else f"the key {key!r}, which is no text"


def _text(text: str) -> str | None:
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as problem:
        return f"text that is no Unicode: {problem.reason} (U+{ord(text[problem.start]):04X})"
    return None
