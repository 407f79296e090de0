"""Whether somebody holds a directory, and who: for a network that is there and does not answer."""

from __future__ import annotations

import os
from pathlib import Path

from runner.errors import NotRunning, UsageProblem
from runner.state import State
from runner.workspace import Workspace

_HINT = "a running network keeps its address and its queues there"


def usable(workspace: Workspace) -> State:
    """The state directory of a network to host, made where it is missing. Raises UsageProblem where it cannot be."""
    path = workspace.state
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except FileExistsError:
        raise UsageProblem(f"{path} is not a directory", hint=_HINT) from None
    except OSError as error:
        raise UsageProblem(f"cannot make {path}: {error.strerror}", hint=_HINT) from None
    return _allowed(path, os.R_OK | os.W_OK | os.X_OK)


def readable(workspace: Workspace) -> State:
    """The state directory of a network to talk to, there or not. Raises UsageProblem where it is closed to us."""
    path = workspace.state
    if os.path.lexists(path) and not path.is_dir():
        raise UsageProblem(f"{path} is not a directory", hint=_HINT)
    return _allowed(path, os.R_OK | os.X_OK) if path.is_dir() else State(path)


def running_here(workspace: Workspace) -> str | None:
    """The name of the file whose network is to be found here, whatever became of that; None where there is none."""
    state = State(workspace.state)
    running = state.running()
    if running is None or not (state.is_locked() or state.is_joined() or not running.embedded):
        return None
    return running.file or workspace.file.name


def explained(gone: NotRunning, file: str, nats: str | None) -> NotRunning:
    """Why no network answers: where a live process holds the directory, that process is named."""
    workspace = Workspace.of(file)
    state = State(workspace.state)
    if nats is not None or not state.is_locked():
        return gone
    pid = holder(state)
    if state.running() is None:
        hint = f"wait until it is ready, or end it with `kill {pid}`"
        return NotRunning(f"the network in {workspace.directory} (pid {pid}) has not come up yet", hint=hint)
    return NotRunning(f"pid {pid}, which runs the network in {workspace.directory}, does not answer", hint=ending(pid))


def ending(pid: int | str) -> str:
    return f"`kill {pid}` asks it to stop, `kill -9 {pid}` ends it; its tasks are taken up at the next start"


def holder(state: State) -> int | str:
    """The process that holds the directory's lock: as the kernel tells, else as announced, else `?`."""
    running = state.running()
    return _lock_owner(state.directory / "lock") or (running.pid if running else "?")


def has_ended(pid: int | str) -> bool:
    """Whether no such process runs any more; one that its parent has yet to take note of does not run."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    return told.rpartition(")")[2].split()[0] in "ZX"


def _lock_owner(path: Path) -> int | None:
    """From `/proc/locks`: `1: FLOCK  ADVISORY  WRITE 1234 fd:01:5678 0 EOF`, the last number the inode."""
    try:
        inode = str(path.stat().st_ino)
        table = Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return None
    for words in map(str.split, table.splitlines()):
        if len(words) > 5 and words[1] == "FLOCK" and words[3] == "WRITE" and words[5].rpartition(":")[2] == inode:
            return int(words[4]) or None
    return None


def _allowed(path: Path, mode: int) -> State:
    if not os.access(path, mode):
        raise UsageProblem(f"cannot use {path}: permission denied", hint=_HINT)
    return State(path)
