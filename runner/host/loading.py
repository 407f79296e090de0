"""The users' code is loaded in a thread, at a start as at a change, so that what it does meanwhile holds nobody up.

What takes long is told of by name, and what takes too long is given up: the thread is left behind, since nothing ends
one from outside.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from runner.endings import ended
from runner.errors import StartFailed
from runner.functions.standing import standing
from runner.functions.threads import OneThread

LOAD_SECONDS = 30.0
"""How long the code of one ensemble may take to be loaded: in either placement, at a start as at a change."""

SLOW_SECONDS = 2.0
"""After so long it is told what is being loaded."""

LOOK_SECONDS = 0.25

LOADING = "loading"
"""The kind of the events that tell of code which takes long to load."""

Tell = Callable[[str, str, str], None]
"""(ensemble, kind of event, message)."""

Begin = Callable[[str], None]
"""Called with the name of each ensemble whose code is loaded next."""

_T = TypeVar("_T")


class LoadsTooLong(StartFailed):
    """The code of an ensemble is not loaded in time."""

    def __init__(self, ensemble: str, place: str) -> None:
        super().__init__(f"the code of {ensemble} is not loaded after {LOAD_SECONDS:g} s: it is in {place}", hint=_HINT)
        self.ensemble = ensemble


_HINT = "what a module does while it is imported has to end: what takes long belongs into a function"


@dataclass(slots=True, eq=False)
class _Turn:
    """What the thread is at."""

    directory: Path
    ensemble: str = ""
    since: float = field(default_factory=time.monotonic)
    thread: int = 0

    def begin(self, ensemble: str) -> None:
        self.ensemble, self.since, self.thread = ensemble, time.monotonic(), threading.get_ident()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.since

    @property
    def place(self) -> str:
        return standing(self.thread, self.directory) or "code of others"


async def loaded(load: Callable[[Begin], _T], tell: Tell, directory: Path, thread: OneThread) -> _T:
    """What `load` gives, run in this thread. Raises LoadsTooLong with the ensemble and the line that it is in."""
    turn, told = _Turn(directory), ""
    work = asyncio.ensure_future(thread.run(lambda: load(turn.begin)))
    try:
        while not work.done():
            await asyncio.wait((work,), timeout=LOOK_SECONDS)
            if work.done() or turn.seconds < SLOW_SECONDS:
                continue
            if turn.seconds >= LOAD_SECONDS:
                raise LoadsTooLong(turn.ensemble, turn.place)
            if turn.ensemble != told:
                told = turn.ensemble
                tell(told, LOADING, f"still loading {told} ({turn.place}) after {SLOW_SECONDS:g} s")
        return work.result()
    finally:
        await ended(work)
