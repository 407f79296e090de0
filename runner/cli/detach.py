"""`up --detach`: an `up` in the background, waited for until it is ready."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from runner.cli import output
from runner.errors import StartFailed
from runner.workspace import Workspace

_TAIL = 4_000


def detached(workspace: Workspace, arguments: Sequence[str]) -> int:
    """Start `up` with these arguments in a session of its own, its output in `.run-network/up.log`.

    Returns once every ensemble is ready. Raises StartFailed, with what it said, if it ends before that.
    """
    workspace.state.mkdir(mode=0o700, exist_ok=True)
    log = workspace.state / "up.log"
    reading, writing = os.pipe()
    with open(log, "wb", opener=_private) as stream:
        command = [sys.executable, "-P", "-m", "runner", "up", *arguments, "--ready-fd", str(writing)]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True, pass_fds=[writing]
        )
    os.close(writing)  # so that the child's end is the only one, and its death is the end of the pipe
    with os.fdopen(reading, "rb") as pipe:
        ready = pipe.read()
    if not ready:
        process.wait()
        said = log.read_text(encoding="utf-8", errors="replace")[-_TAIL:].rstrip()
        raise StartFailed(f"the network did not come up; it said:\n{said}", hint=f"all of it is in {log}")
    output.talk(f"up (pid {process.pid}); its output is in {log}; `run-network down` stops it")
    return 0


def tell_ready(descriptor: int | None) -> None:
    """The child's side: say that every ensemble is ready."""
    if descriptor is not None:
        os.write(descriptor, b"ready\n")
        os.close(descriptor)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
