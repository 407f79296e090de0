"""Ctrl-C, SIGTERM and SIGHUP: the first asks, the second ends the process, whatever it does at that moment.

The handlers are Python's own, not the event loop's: those run between bytecodes, also while user code blocks the loop.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType

from runner.cli import output

FORCED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def give_up() -> None:
    raise KeyboardInterrupt


def nothing() -> None:
    """Nothing to do before a forced end."""


class Interrupts:
    """`asked` is the first signal so far, or None. Handlers run in the main thread, between any two bytecodes."""

    def __init__(self, on_first: Callable[[], None] = give_up, on_second: Callable[[], None] = nothing) -> None:
        self.asked: signal.Signals | None = None
        self.on_first = on_first
        self.on_second = on_second

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C; 0 after the others, which asked to stop and got it."""
        return FORCED if self.asked is signal.SIGINT else 0

    def take(self) -> None:
        """Take the signals until the process ends. Under `nohup` SIGHUP stays ignored."""
        for number in _SIGNALS:
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._received)

    def _received(self, number: int, frame: FrameType | None) -> None:
        """What was worked on is redelivered at the next start; the embedded server goes with its parent."""
        if self.asked is not None:
            output.shout("forced")
            try:
                self.on_second()
            finally:
                os._exit(FORCED)
        self.asked = signal.Signals(number)
        self.on_first()
