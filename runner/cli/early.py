"""Ctrl-C while a command line is still being imported, and when it has ended: it ends the process, without a word.

Nothing has begun that wants an orderly end. A KeyboardInterrupt would print where in the imports it came; a library
that is being imported may even take it for something else. Imports next to nothing itself.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

INTERRUPTED = 130


def leave_at_once() -> None:
    """From now on, until `release`. Whoever ignores Ctrl-C, or has taken it, goes on to."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def release() -> None:
    """Ctrl-C is a KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)
