"""One process of an ensemble, as its runner sees it: started, asked, and seen to its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import runner
from runner.host.process.line import Line
from runner.host.process.sources import Giving
from runner.host.process.talk import Printed

MOST_BYTES = 1024 * 1024 * 1024
"""What one frame of a process may have: a result is bounded by `max_payload`, and that by the file."""

LAST_WORDS_SECONDS = 0.5
END_SECONDS = 2.0
"""How long a process that was stopped may take to be gone; and one that was killed."""


class Child:
    """Spawned by `spawned`. `ended` is set with how it ended, once it has, and all that it said before is heard."""

    def __init__(self, process: subprocess.Popen[bytes], line: Line, sources: Giving) -> None:
        self._process = process
        self.sources = sources
        self._status: int | None = None
        self.line = line
        self.pid = process.pid
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._pidfd = os.pidfd_open(process.pid)
        line.lost = self._over
        asyncio.get_running_loop().add_reader(self._pidfd, self._exited)

    def kill(self) -> None:
        """End it now, and what it has started."""
        if self._status is None:
            self._process.kill()

    async def gone(self) -> str:
        """How it ended; it is killed where that takes too long."""
        await asyncio.wait((self.ended,), timeout=END_SECONDS)
        self.kill()
        return await self.ended

    def _exited(self) -> None:
        """The process is no more: what it started goes with it."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._status = self._process.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.sources.close()
        loop.call_later(LAST_WORDS_SECONDS, self.line.cut)  # somebody may have left its group, and hold the line
        self._over()

    def _over(self) -> None:
        if self._status is None:  # one that nobody hears any more is of no use: it ends by itself, or is ended
            asyncio.get_running_loop().call_later(END_SECONDS, self.kill)
        elif not self.line.is_open and not self.ended.done():
            self.ended.set_result(_told(self._status))


async def spawned(name: str, line: Line, sources: Giving) -> Child:
    """A process that has the other ends of `line` and `sources`, and nothing else of this one's. Raises OSError.

    Call from the main thread: the process ends with the thread that started it.
    """
    loop = asyncio.get_running_loop()
    ours, theirs = zip(*(socket.socketpair() for _ in range(2)), strict=True)
    output, printed = os.pipe()
    try:
        numbers = [end.fileno() for end in theirs]
        process = subprocess.Popen(  # noqa: ASYNC220 - it takes a millisecond, and must be this thread
            [sys.executable, "-P", "-m", "runner.host.process.main", *map(str, numbers), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            pass_fds=numbers,
            start_new_session=True,  # Ctrl-C is for the runner, which stops it in order
            env=_environment(os.environ),
        )
    except BaseException:
        os.close(output)
        for end in ours:
            end.close()
        raise
    finally:
        os.close(printed)
        for end in theirs:
            end.close()
    await loop.create_unix_connection(lambda: line, sock=ours[0])
    await loop.create_unix_connection(lambda: sources, sock=ours[1])
    log = logging.getLogger(f"runner.ensemble.{name}")
    await loop.connect_read_pipe(lambda: Printed(log), os.fdopen(output, "rb", 0))
    return Child(process, line, sources)


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Ours, and where this package is, if Python does not look there by itself."""
    package = str(Path(runner.__file__).parents[1])
    paths = [*filter(None, ours.get("PYTHONPATH", "").split(os.pathsep)), package]
    if package in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        return dict(ours)
    return {**ours, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}


def _told(status: int) -> str:
    if status >= 0:
        return f"exit code {status}"
    try:
        return f"signal {-status} ({signal.Signals(-status).name})"
    except ValueError:
        return f"signal {-status}"
