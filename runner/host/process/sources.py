"""The code of an ensemble's process: it is given the bytes of its modules, of one generation, by its runner.

A module may be imported at any time and in any thread, so that the process waits for each file, over a socket of its
own.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterable
from hashlib import sha256

from runner.host.process.frames import Frame, Frames, Garbled, Kind
from runner.model import PythonTarget

MOST_ASKED = 64 * 1024
MOST_GIVEN = 1024 * 1024 * 1024
READ_SECONDS = 30.0
_PROBLEMS = {
    problem.__name__: problem for problem in (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)
}


class Giving(asyncio.Protocol):
    """The runner's end. `read` gives the bytes of a file of the generation; what was looked at is remembered."""

    def __init__(self, read: Callable[[str], bytes]) -> None:
        self._read = read
        self._frames = Frames(MOST_ASKED)
        self._looked: dict[str, bytes | None] = {}
        self._transport: asyncio.BaseTransport | None = None

    def is_as(self, targets: Iterable[PythonTarget], read: Callable[[str], bytes]) -> bool:
        """Whether `read` gives for every file that the process looked for what it was then; `targets` among them."""
        wanted = all(target.path in self._looked for target in targets)
        return wanted and all(_digest(path, read) == digest for path, digest in tuple(self._looked.items()))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert isinstance(self._transport, asyncio.Transport)
        try:
            for frame in self._frames.fed(data):
                self._transport.write(self._given(frame).encode())
        except (Garbled, UnicodeDecodeError):
            self._transport.abort()

    def _given(self, frame: Frame) -> Frame:
        path = frame.text.decode()
        try:
            found = self._read(path)
        except (OSError, ValueError) as problem:
            self._looked[path] = None
            return Frame(Kind.FAIL, frame.number, type(problem).__name__.encode())
        self._looked[path] = sha256(found).digest()
        return Frame(Kind.ANSWER, frame.number, b"", found)


class Taking:
    """The process's end: `read` is what its `ModuleSpace` reads by."""

    def __init__(self, given: socket.socket) -> None:
        given.settimeout(READ_SECONDS)
        self._socket = given
        self._frames = Frames(MOST_GIVEN)
        self._one = threading.Lock()

    def read(self, path: str) -> bytes:
        """Raises OSError as the file system would."""
        with self._one:
            self._socket.sendall(Frame(Kind.ASK, 0, path.encode(errors="surrogateescape")).encode())
            frame = self._next()
        if frame.kind is Kind.FAIL:
            raise _PROBLEMS.get(frame.text.decode(), OSError)(path)
        return frame.body

    def _next(self) -> Frame:
        while True:
            data = self._socket.recv(1 << 18)
            if not data:
                raise ConnectionError("the runner has gone")
            for frame in self._frames.fed(data):
                return frame


def _digest(path: str, read: Callable[[str], bytes]) -> bytes | None:
    try:
        return sha256(read(path)).digest()
    except (OSError, ValueError):
        return None
