"""Runners as processes of their own that are up at once: forked from one that has imported everything.

    python -m tests.support.zygote [--overwriting]

Reads lines `DIRECTORY URL NAME` and answers each with the id of a process that hosts the network of that directory on
that server, applies what is saved there, and touches `DIRECTORY/NAME.ready` when it is up. A process may be killed;
nobody starts it again. All end with the zygote, which ends with its standard input. `--overwriting` ones write records
whoever was first: with them a test can show that it would notice.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from runner.bus import streams
from runner.bus.records import Bucket
from runner.host import task_queue
from runner.host.runner import running
from runner.workspace import Workspace
from tests.support.networks import read
from tests.support.terminal import ROOT, surroundings

ACK_WAIT = timedelta(seconds=1.5)
"""What a killed runner held is given to another after this long, where the product takes ten seconds."""

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Zygote:
    """The parent of the runners, as a test sees it."""

    _process: subprocess.Popen[str]

    def start(self, directory: Path, url: str, name: str) -> int:
        """Begin to bring a runner up; its process id."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{directory} {url} {name}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def zygote(*options: str) -> Iterator[Zygote]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.zygote", *options],
        cwd=ROOT,
        env=surroundings(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Zygote(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)


async def host(directory: Path, url: str, name: str) -> None:

    workspace = Workspace.of(directory / "network.yaml")
    async with running(read(workspace), workspace, nats=url, watch=True) as live:
        (directory / f"{name}.ready").touch()
        await live.wait_stopped()


def serve() -> None:
    streams.ACK_WAIT = task_queue.ACK_WAIT = ACK_WAIT
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are buried at once
    for line in sys.stdin:
        directory, url, name = line.split()
        if (pid := os.fork()) == 0:
            become(Path(directory), url, name)
        print(pid, flush=True)


def become(directory: Path, url: str, name: str) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(directory / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(0)
    asyncio.run(host(directory, url, name))
    os._exit(0)


async def overwrite(bucket: Bucket, key: str, value: bytes, revision: int, *, lasting: bool = False) -> int | None:
    await bucket.put(key, value)
    return revision + 1


if __name__ == "__main__":
    if "--overwriting" in sys.argv:
        Bucket.put_if = overwrite  # type: ignore[method-assign]
    serve()
