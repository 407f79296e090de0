"""`.run-network/`, the state beside a network file: who runs it, where, and with which credentials. Mode 0700."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from runner.errors import AlreadyRunning
from runner.model import Defaults
from runner.work import Priority

LOCK_ATTEMPTS = 5
LOCK_PAUSE_SECONDS = 0.02


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

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory: one embedded server, one owner. Raises AlreadyRunning. Freed by any death."""
        with (self.directory / "lock").open("a") as stream:
            for _ in range(LOCK_ATTEMPTS):
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:  # held, or only looked at: see `is_locked`
                    time.sleep(LOCK_PAUSE_SECONDS)
            else:
                running = self.running()
                who = f" (pid {running.pid})" if running else ""
                raise AlreadyRunning(f"a network is already running in {self.directory.parent}{who}")
            yield

    def is_locked(self) -> bool:
        """Whether a live runner holds the directory."""
        try:
            with (self.directory / "lock").open("r") as stream:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    @contextmanager
    def announced(self, running: RunningNetwork) -> Iterator[None]:
        """Tell clients where the network is, for as long as the block runs.

        A runner on a server elsewhere does not speak over the owner of this directory.
        """
        if not running.embedded and self.is_locked():
            yield
            return
        self._announce(running)
        try:
            yield
        finally:
            if (last := self.running()) and last.pid == running.pid:
                self._connection.unlink(missing_ok=True)

    def _announce(self, running: RunningNetwork) -> None:
        draft = self._connection.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            json.dump(asdict(running), stream)
        draft.replace(self._connection)

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
