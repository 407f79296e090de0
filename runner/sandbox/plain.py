"""From what a template gave to JSON data."""

from __future__ import annotations

import math
from collections.abc import Iterator

from jinja2 import Undefined
from pydantic import JsonValue

from runner.templates import TemplateProblem

MAX_DEPTH = 200


def plain(value: object, depth: int = 0) -> JsonValue:
    """JSON data of what a template gave; generators and tuples become lists. Raises TemplateProblem."""
    if depth > MAX_DEPTH:
        raise TemplateProblem(f"the value is nested more than {MAX_DEPTH} deep")
    match value:
        case None | bool() | int():
            return value
        case float():
            if not math.isfinite(value):
                raise TemplateProblem(f"the value {value} is no JSON number")
            return value
        case str():
            return value if type(value) is str else str.__str__(value)
        case dict():
            return {_key(key): plain(item, depth + 1) for key, item in value.items()}
        case list() | tuple() | range() | Iterator():
            return [plain(item, depth + 1) for item in value]
        case Undefined():
            str(value)  # says what is undefined
    if hasattr(type(value), "__iter__"):
        return [plain(item, depth + 1) for item in iter(value)]  # type: ignore[call-overload]
    raise TemplateProblem(f"the value is no plain data but a {type(value).__name__}")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TemplateProblem(f"the key {key!r} of a mapping is no text")
    return str(key)
