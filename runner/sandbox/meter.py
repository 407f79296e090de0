"""What one rendering may spend, and has spent."""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TypeVar

from jinja2.exceptions import SecurityError

MAX_SIZE = 1024 * 1024
"""The most characters, or elements, that one rendering may put out or build."""
MAX_STEPS = 200_000
"""The most loop rounds, calls and filters of one rendering."""
MAX_SECONDS = 2.0
MAX_WIDTH = 1_000
MAX_BITS = 4_096

_T = TypeVar("_T")


class Meter:
    """What one rendering has spent."""

    __slots__ = ("_ends_at", "_size", "_steps")

    def __init__(self) -> None:
        self._steps = 0
        self._size = 0
        self._ends_at = time.monotonic() + MAX_SECONDS

    def tick(self) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise SecurityError(f"the template takes more than {MAX_STEPS:,} steps")
        if time.monotonic() > self._ends_at:
            raise SecurityError(f"the template takes longer than {MAX_SECONDS:g} s")

    def charge(self, size: int) -> None:
        self._size += size
        if self._size > MAX_SIZE:
            raise SecurityError(f"the template makes more than {MAX_SIZE:,} characters")


METER: ContextVar[Meter] = ContextVar("template_meter")


def size_of(value: object, allowed: int = MAX_SIZE) -> int:
    """Characters and elements of a value; stops counting once it is over `allowed`."""
    total, waiting = 0, [value]
    while waiting and total <= allowed:
        match waiting.pop():
            case str() as text:
                total += len(text)
            case dict() as mapping:
                total += len(mapping)
                waiting.extend(mapping.values())
            case list() | tuple() as items:
                total += len(items)
                waiting.extend(items)
            case _:
                total += 1
    return total


def charged(value: _T) -> _T:
    if isinstance(value, str | list | tuple | dict):
        METER.get().charge(size_of(value))
    return value


def refuse_above(limit: int, amount: float, what: str) -> None:
    if amount > limit:
        raise SecurityError(f"{what} is over {limit:,}")
