"""`up --detach`: an `up` in the background, waited for until it is ready."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner.cli.interrupts import Interrupts, give_up
from runner.cli.presence import holder, usable
from runner.cli.render import problems
from runner.cli.render.style import visible_lines
from runner.errors import AlreadyRunning, EnsembleNetworkError, StartFailed
from runner.workspace import Workspace

_TAIL = 4_000
_GIVE_UP_SECONDS = 5.0
_READY = b"ready\n"


@dataclass(frozen=True, slots=True)
class Detached:
    """A network that is up in the background."""

    pid: int
    log: Path


def detached(workspace: Workspace, arguments: Sequence[str], *, alone: bool) -> Detached:
    """Start `up` with these arguments in a session of its own, its output at the end of `.run-network/up.log`.

    Returns once every ensemble is ready. Where it ends before that, raises what it raised; where we are interrupted
    it is stopped. `alone` says that it will hold the directory: raises AlreadyRunning where another does.
    """
    state = usable(workspace)
    if alone and state.is_locked():
        raise AlreadyRunning(f"a network is already running in {workspace.directory} (pid {holder(state)})")
    log = state.directory / "up.log"
    signals = Interrupts()
    signals.take()
    with open(log, "ab", opener=_private) as stream:
        begins = stream.tell()
        process, reading = _started(arguments, stream.fileno())

    def on_first() -> None:
        process.terminate()  # here already: Python drops an exception that a handler raises at a bad moment
        give_up()

    signals.on_first, signals.on_second = on_first, process.kill
    with os.fdopen(reading, "rb") as pipe:
        try:
            told = pipe.read()
        except KeyboardInterrupt:
            _give_up(process)
            raise
    if signals.asked is not None:
        raise KeyboardInterrupt
    if told != _READY:
        process.wait()
        raise _failure(told, log, begins)
    return Detached(process.pid, log)


@contextmanager
def telling(descriptor: int | None) -> Iterator[None]:
    """The child's side: whoever waits for it is told how it failed."""
    try:
        yield
    except EnsembleNetworkError as error:
        _tell(descriptor, json.dumps(problems.as_json(error)).encode())
        raise


def tell_ready(descriptor: int | None) -> None:
    """The child's side: every ensemble is ready. Where nobody waits for that any more, nobody wants the network."""
    if not _tell(descriptor, _READY):
        os.kill(os.getpid(), signal.SIGTERM)
    elif descriptor is not None:
        os.close(descriptor)


def _tell(descriptor: int | None, message: bytes) -> bool:
    if descriptor is None:
        return True
    try:
        os.write(descriptor, message)
    except OSError:  # also closed already: it was ready before it failed
        return False
    return True


def _started(arguments: Sequence[str], log: int) -> tuple[subprocess.Popen[bytes], int]:
    """The child, and the pipe that it tells us on; its death is the end of that."""
    reading, writing = os.pipe()
    command = [sys.executable, "-P", "-m", "runner", "up", *arguments, "--ready-fd", str(writing)]
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, pass_fds=[writing]
        )
    finally:
        os.close(writing)
    return process, reading


def _give_up(process: subprocess.Popen[bytes]) -> None:
    """Nothing is being worked on yet: what does not stop soon is ended."""
    process.terminate()
    try:
        process.wait(_GIVE_UP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _failure(told: bytes, log: Path, begins: int) -> EnsembleNetworkError:
    """What the child said of its failure; where it could not, the end of its output."""
    if told:
        error = json.loads(told)["error"]
        return EnsembleNetworkError(
            error["message"], hint=error["hint"] or f"its output is in {log}", code=error["code"]
        )
    said = visible_lines(log.read_bytes()[begins:].decode(errors="replace")[-_TAIL:].rstrip())
    return StartFailed(f"the network did not come up; it said:\n{said}", hint=f"all of it is in {log}")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
