"""`.run-network/`, the state beside a network file: who runs it, where, and with which credentials. Mode 0700."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from runner.model import Defaults
from runner.work import Priority


@dataclass(frozen=True, slots=True)
class RunningNetwork:
    """How to reach the network that runs here, and what it takes a request for that says no more.

    `credentials` is the operator's nkey seed; None where none is needed.
    """

    network: str
    url: tuple[str, ...]
    pid: int
    embedded: bool
    deadline_seconds: float
    priority: Priority
    max_payload: int = Defaults().max_payload
    credentials: str | None = field(default=None, repr=False)
    file: str | None = None
    """The name of its file, beside the state."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A lock on a file; freed by `release` and by any death."""

    _stream: IO[str]

    def release(self) -> None:
        self._stream.close()


@dataclass(frozen=True, slots=True)
class State:
    """The state directory; nothing here is made before `prepare`."""

    directory: Path

    def prepare(self) -> None:
        for path in (self.directory, self.keys):
            path.mkdir(mode=0o700, exist_ok=True)
            path.chmod(0o700)
        ignore = self.directory / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")

    @property
    def keys(self) -> Path:
        return self.directory / "keys"

    @property
    def log(self) -> Path:
        return self.directory / "runner.log"

    def take(self) -> Hold | None:
        """Own the directory: one embedded server, one owner. None where another does, or looks at it just now."""
        return _held(self.directory / "lock", fcntl.LOCK_EX)

    def join(self) -> Hold | None:
        """Be one of those who take over when the owner goes. None where somebody looks at them just now."""
        return _held(self.directory / "joined", fcntl.LOCK_SH)

    def is_locked(self) -> bool:
        """Whether a live runner owns the directory."""
        return _is_held(self.directory / "lock", fcntl.LOCK_SH)

    def is_joined(self) -> bool:
        """Whether a live runner waits to take over."""
        return _is_held(self.directory / "joined", fcntl.LOCK_EX)

    def withdraw(self, pid: int) -> None:
        """What this process announced holds no more."""
        if (last := self.running()) and last.pid == pid:
            self._connection.unlink(missing_ok=True)

    def announce(self, running: RunningNetwork) -> None:
        """Tell clients where the network is; several runners may at once. Nobody but the user can read it."""
        descriptor, draft = tempfile.mkstemp(dir=self.directory, prefix="connection-")
        with os.fdopen(descriptor, "w") as stream:
            json.dump(asdict(running), stream)
        os.replace(draft, self._connection)

    def running(self) -> RunningNetwork | None:
        """What was announced last, live or not; None where nothing is, or nothing readable."""
        try:
            said = json.loads(self._connection.read_text())
            return RunningNetwork(**{**said, "url": tuple(said["url"]), "priority": Priority(said["priority"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    @property
    def _connection(self) -> Path:
        return self.directory / "connection.json"


def _held(path: Path, kind: int) -> Hold | None:
    stream = path.open("a")
    try:
        fcntl.flock(stream, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        return None
    return Hold(stream)


def _is_held(path: Path, kind: int) -> bool:
    """Whether somebody holds a lock that excludes this kind."""
    try:
        with path.open("r") as stream:
            fcntl.flock(stream, kind | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def runs(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
