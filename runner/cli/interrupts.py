"""Ctrl-C and SIGTERM: the first asks to drain, the second forces."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

FORCED = 130


class Interrupts:
    """What was asked for so far. `asked` is the first signal, or None; `stop` is set with it."""

    def __init__(self) -> None:
        self.asked: signal.Signals | None = None
        self.stop = asyncio.Event()

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C; 0 after SIGTERM, which asked to stop and got it."""
        return FORCED if self.asked is signal.SIGINT else 0


@contextmanager
def interrupts(on_first: Callable[[], None]) -> Iterator[Interrupts]:
    """Take the signals for as long as the block lasts. A second one ends the process there and then: what it worked
    on is redelivered at the next start, and the embedded server goes with its parent."""
    loop = asyncio.get_running_loop()
    state = Interrupts()

    def received(number: signal.Signals) -> None:
        if state.asked is not None:
            print("forced", file=sys.stderr, flush=True)
            os._exit(FORCED)
        state.asked = number
        state.stop.set()
        on_first()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, received, number)
    try:
        yield state
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
