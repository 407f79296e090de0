"""`run-network` processes that are killed: bring one up, kill it, see what it left, ask the network for outcomes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from runner.bus.server_config import ServerFiles
from runner.client.connect import connect
from runner.client.network import NetworkClient
from runner.work import Status, WorkResponse
from tests.support.networks import eventually
from tests.support.terminal import PATIENCE, Directory, read_until, surroundings


def lines(directory: Directory, name: str) -> list[str]:
    path = directory.path / name
    return path.read_text().splitlines() if path.exists() else []


def files_of(directory: Directory) -> ServerFiles:
    return ServerFiles(directory.path / ".run-network")


def server_pid(directory: Directory) -> int:
    return int(files_of(directory).pid.read_text())


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that nobody has buried yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def is_locked(directory: Directory) -> bool:
    with (directory.path / ".run-network" / "lock").open() as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def up(
    directory: Directory, *options: str, dies: str | None = None, watch: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """`run-network up`, ready. What it prints goes on being read, so that it never waits for its reader.

    `dies` names a point of `tests.support.killpoint` at which it kills itself, once in a directory.
    """
    process = _started(directory, ("up", "--no-http", *([] if watch else ["--no-watch"]), *options), dies)
    reading = threading.Thread(target=process.communicate)
    try:
        read_until(process, "ready in")
        reading.start()
        yield process
    finally:
        if process.poll() is None:
            (directory.path / "release").touch()
            process.send_signal(signal.SIGTERM)
        reading.join(PATIENCE) if reading.ident else process.communicate()
        assert process.poll() is not None, "run-network does not stop"


def _started(directory: Directory, arguments: tuple[str, ...], dies: str | None) -> subprocess.Popen[str]:
    if dies is None:
        return directory.start(*arguments)
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.killpoint", dies, str(directory.path / "died"), *arguments],
        cwd=directory.path,
        env=surroundings(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()


@asynccontextmanager
async def client(directory: Directory) -> AsyncIterator[NetworkClient]:
    async with connect(directory.path / "network.yaml", name="tester") as network:
        yield network


def servers_on(files: ServerFiles) -> list[int]:
    """Every process that was started with this configuration file."""
    found = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and str(files.config).encode() in (process / "cmdline").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


async def standing(network: NetworkClient) -> Counter[str]:
    return Counter(report.status for report in await network.requests())


def answer_of(outcome: object) -> object:
    assert isinstance(outcome, WorkResponse)
    assert outcome.status is Status.COMPLETED, outcome
    return outcome.result


async def brought_to_a_stop(pid: int) -> None:
    """Stop a process by signal, and return when none of its threads runs: on a busy machine that takes its time."""
    os.kill(pid, signal.SIGSTOP)
    threads = Path(f"/proc/{pid}/task")

    def stands_still() -> bool:
        return all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in threads.glob("*/stat"))

    await eventually(stands_still, f"a standstill of {pid}")
