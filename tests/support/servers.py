"""A nats-server of nobody's own: what several runners share."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from runner.bus.server import server_binary
from tests.support.networks import eventually


@asynccontextmanager
async def plain_server(directory: Path, *, jetstream: bool = True) -> AsyncIterator[str]:
    """The address of a server without authentication, and with a store if `jetstream` says so; it dies with us."""
    store = directory / "nats"
    store.mkdir(parents=True)
    arguments = ["-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", str(store)]
    if jetstream:
        arguments += ["-js", "-sd", str(store)]
    silent = asyncio.subprocess.DEVNULL
    server = await asyncio.create_subprocess_exec(str(server_binary()), *arguments, stdout=silent, stderr=silent)
    try:
        await eventually(lambda: any(ports.read_text().strip() for ports in store.glob("*.ports")), "a server")
        [ports] = store.glob("*.ports")
        yield json.loads(ports.read_text())["nats"][0]
    finally:
        server.terminate()
        await server.wait()


@dataclass
class Guarded:
    """A server whose one user may do what somebody wrote into its configuration."""

    directory: Path
    process: asyncio.subprocess.Process | None = None
    url: str = ""

    @property
    def config(self) -> Path:
        return self.directory / "nats.conf"

    def write(self, leave: Mapping[str, Sequence[str]]) -> None:
        allowed = json.dumps({**leave, "allow_responses": True})
        user = f'{{ user: inn, password: "pass", permissions: {allowed} }}'
        store = json.dumps(str(self.directory / "store"))
        self.config.write_text(
            f"listen: 127.0.0.1:-1\nports_file_dir: {json.dumps(str(self.directory))}\n"
            f"jetstream: {{ store_dir: {store} }}\naccounts: {{ INN: {{ jetstream: enabled, users: [ {user} ] }} }}\n"
        )

    def allow(self, leave: Mapping[str, Sequence[str]]) -> None:
        """As an operator does: edit the file, and have the server read it again."""
        assert self.process is not None
        self.write(leave)
        self.process.send_signal(signal.SIGHUP)


@asynccontextmanager
async def guarded_server(directory: Path, leave: Mapping[str, Sequence[str]]) -> AsyncIterator[Guarded]:
    """A server with a user of its own, `inn`, that may `publish` and `subscribe` to what `leave` says."""
    home = directory / "guarded"
    home.mkdir(parents=True)
    guarded = Guarded(home)
    guarded.write(leave)
    silent = asyncio.subprocess.DEVNULL
    arguments = (str(server_binary()), "-c", str(guarded.config))
    guarded.process = await asyncio.create_subprocess_exec(*arguments, stdout=silent, stderr=silent)
    try:
        await eventually(lambda: any(ports.read_text().strip() for ports in home.glob("*.ports")), "a server")
        [ports] = home.glob("*.ports")
        address = json.loads(ports.read_text())["nats"][0]
        guarded.url = address.replace("nats://", "nats://inn:pass@")
        yield guarded
    finally:
        guarded.process.terminate()
        await guarded.process.wait()
