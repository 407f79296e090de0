"""A nats-server of nobody's own: what several runners share."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
