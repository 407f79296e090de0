"""Where in the user's code a thread is at this moment, seen from another thread: what hangs can still be named."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from runner.functions.loading import is_of_user


def frames_of(thread: int) -> Iterator[FrameType]:
    """What the thread of this number is in, the innermost first; nothing where it has ended."""
    frame = sys._current_frames().get(thread)
    while frame is not None:
        yield frame
        frame = frame.f_back


def standing(thread: int, directory: Path) -> str | None:
    """`file:line`, and the function, of the innermost code of the user's; None where the thread is in none of it."""
    for frame in frames_of(thread):
        if is_of_user(frame.f_globals):
            code = frame.f_code
            place = f"{_shown(code.co_filename, directory)}:{frame.f_lineno}"
            return place if code.co_name == "<module>" else f"{place} in {code.co_name}"
    return None


def _shown(filename: str, directory: Path) -> str:
    path = Path(filename)
    return path.relative_to(directory).as_posix() if path.is_relative_to(directory) else path.name
