"""What a process prints and logs, in its runner's log: so much of it that nobody else is held up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

LINE_BYTES = 8 * 1024
"""What is kept of one line that a process prints."""

TEXT_LENGTH = 64 * 1024
"""What is kept of one thing that it logs."""

LINES_A_SECOND = 1000
NAMES = 256
"""How many loggers of a process are told apart: each is kept for as long as the runner lives."""

REST_SECONDS = 0.05
"""How long nothing is read of a process that prints more than is kept; it waits meanwhile, and nobody else."""


@dataclass(slots=True, eq=False)
class Quota:
    """So many lines in each second; `missed` is called a second later with how many more there were."""

    missed: Callable[[int], None]
    _over: float = 0.0
    _left: int = LINES_A_SECOND
    _more: int = 0

    def take(self, lines: int) -> int:
        """How many of these lines are within it."""
        loop = asyncio.get_running_loop()
        if loop.time() >= self._over:
            self._over, self._left = loop.time() + 1.0, LINES_A_SECOND
        taken = min(lines, self._left)
        self._left -= taken
        if taken < lines and not self._more:
            loop.call_later(1.0, self.tell)
        self._more += lines - taken
        return taken

    def tell(self) -> None:
        """Tell of what was left out and has not been told of."""
        more, self._more = self._more, 0
        if more:
            self.missed(more)


class Printed(asyncio.Protocol):
    """What a process prints goes to the runner's log, line by line."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._begun = b""
        self._transport: asyncio.ReadTransport | None = None
        self._quota = Quota(lambda more: log.warning("printed %s more lines in a second, which are left out", more))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.ReadTransport, transport)

    def data_received(self, data: bytes) -> None:
        *lines, self._begun = (self._begun + data).split(b"\n")
        if len(self._begun) > LINE_BYTES:
            lines, self._begun = [*lines, self._begun], b""
        within = self._quota.take(len(lines))
        for line in lines[:within]:
            self._print(line)
        if within < len(lines) and self._transport is not None:
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(REST_SECONDS, self._transport.resume_reading)

    def connection_lost(self, _: Exception | None) -> None:
        self._print(self._begun)
        self._quota.tell()

    def _print(self, line: bytes) -> None:
        if text := line[:LINE_BYTES].decode(errors="backslashreplace").rstrip():
            self._log.info("printed: %s", text)


class Logged:
    """What the ensemble `name` logs in its process, under the names that it has there."""

    def __init__(self, name: str) -> None:
        self._own = f"runner.ensemble.{name}"
        self._names: dict[str, logging.Logger] = {}
        log = logging.getLogger(self._own)
        self._quota = Quota(lambda more: log.warning("logged %s more lines in a second, which are left out", more))

    def hear(self, name: str, level: int, text: str) -> None:
        if self._quota.take(1):
            self._log(name).log(level, "%s", text[:TEXT_LENGTH])

    def _log(self, name: str) -> logging.Logger:
        if name not in self._names:
            if len(self._names) >= NAMES:
                return logging.getLogger(self._own)
            known = name if name.startswith("runner.") else f"{self._own}.{name}"
            self._names[name] = logging.getLogger(known)
        return self._names[name]
