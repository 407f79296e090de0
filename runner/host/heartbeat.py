"""Tells of user code that keeps the event loop from everybody else: which, where it stands, and for how long.

A thread looks whether the loop still beats, and where the loop's thread is while it does not. So it costs a request
nothing, and what blocks can be named while it blocks.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runner.functions.calling import called
from runner.functions.standing import standing

BLOCKED_SECONDS = 1.0
"""What keeps the loop for longer is told of."""

BEAT_SECONDS = 0.25

BLOCKED = "blocked"
"""The kind of the events that tell of it."""

PLAIN = "make it a plain function, which runs in a thread"
APART = f"{PLAIN}, or give the ensemble `placement: process`"
_log = logging.getLogger("runner.host")

Tell = Callable[[str, str, str], None]
"""(ensemble, kind of event, message)."""


@dataclass(frozen=True, slots=True)
class Culprit:
    """What the loop's thread was in."""

    ensemble: str
    task: str
    place: str
    frame: int
    """Which call it was: another one of the same function has another."""


class Heartbeat:
    """Of the event loop that opens it, until `close`. `warn` is called by the thread, and `tell` on the loop, once it
    goes on. `hint` is what can be done about it."""

    def __init__(self, directory: Path, tell: Tell, warn: Callable[[str], None], hint: str) -> None:
        self._directory = directory
        self._tell = tell
        self._warn = warn
        self._hint = hint
        self._beaten = time.monotonic()
        self._thread = 0
        self._over = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._beat()
        threading.Thread(target=self._watch, name="heartbeat", daemon=True).start()

    def close(self) -> None:
        self._over.set()
        if self._timer is not None:
            self._timer.cancel()

    def _beat(self) -> None:
        assert self._loop is not None
        self._beaten = time.monotonic()
        self._timer = self._loop.call_later(BEAT_SECONDS, self._beat)

    def _watch(self) -> None:
        """In the thread. A call is blamed that was seen twice: a process that was stopped as a whole blames nobody."""
        seen: Culprit | None = None
        blamed: Culprit | None = None
        since = 0.0
        while not self._over.wait(BEAT_SECONDS):
            beaten = self._beaten
            now = self._culprit() if time.monotonic() - beaten > BLOCKED_SECONDS else None
            if blamed is not None and (now is None or now.frame != blamed.frame):
                ended = self._beaten if self._beaten > since else time.monotonic()
                self._went_on(blamed, ended - since)
                blamed = None
            if now is not None and blamed is None and seen is not None and seen.frame == now.frame:
                blamed, since = now, beaten
                self._blames(now, time.monotonic() - since)
            seen = now

    def _culprit(self) -> Culprit | None:
        """None where the thread is in no code of the user's."""
        call = called(self._thread)
        place = standing(self._thread, self._directory)
        return Culprit(call.ensemble, call.task, place, call.frame) if call is not None and place is not None else None

    def _blames(self, culprit: Culprit, seconds: float) -> None:
        message = f"{culprit.task} has blocked the event loop for {seconds:.1f} s ({culprit.place}): {self._hint}"
        _log.warning("%s", message)
        self._warn(message)

    def _went_on(self, culprit: Culprit, seconds: float) -> None:
        message = f"{culprit.task} blocked the event loop for {seconds:.1f} s ({culprit.place}): {self._hint}"
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(self._tell, culprit.ensemble, BLOCKED, message)
        except RuntimeError:  # the loop is closed: nobody listens any more
            return
