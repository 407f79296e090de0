"""The server a runner works on: its own, or one that somebody else runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from runner.bus.facts import facts_of
from runner.bus.server import NatsServer
from runner.bus.server_config import ServerFiles
from runner.errors import ServerFailed
from runner.host.happenings import Notice, ServerReady, Watcher
from runner.host.users import users_of
from runner.model import EmbeddedServer, ExternalServer, Network
from runner.state import State


@dataclass(frozen=True, slots=True)
class Reach:
    """How everybody in the network reaches the server. None as credentials: the server asks for none."""

    urls: tuple[str, ...] = field(repr=False)
    embedded: bool
    runner: str | None = field(repr=False)
    operator: str | None = field(repr=False)
    ensembles: Mapping[str, str | None] = field(repr=False)

    @property
    def shown(self) -> str:
        """The addresses as people may see them: without a user or a password."""
        return ", ".join(shown(url) for url in self.urls)


def shown(url: str) -> str:
    scheme, slashes, rest = url.rpartition("://")
    return scheme + slashes + rest.rpartition("@")[2]


@asynccontextmanager
async def server_for(network: Network, state: State, nats: str | None, watcher: Watcher) -> AsyncIterator[Reach]:
    """A server for as long as the block runs. `nats` goes before what the file says. Raises as `NatsServer.start`."""
    server = network.server
    match server:
        case EmbeddedServer() if nats is None:
            async with _embedded(network, state, watcher) as reach:
                yield reach
        case EmbeddedServer() | ExternalServer():
            credentials = server.credentials if isinstance(server, ExternalServer) else None
            urls = tuple(nats.split(",")) if nats else server.url if isinstance(server, ExternalServer) else ()
            yield _external(network, urls, credentials, watcher)


@asynccontextmanager
async def _embedded(network: Network, state: State, watcher: Watcher) -> AsyncIterator[Reach]:
    async with AsyncExitStack() as stack:
        stack.enter_context(state.lock())
        began = time.perf_counter()
        users = users_of(network, state.keys)
        server = NatsServer(ServerFiles(state.directory))
        stack.push_async_callback(server.stop)
        await server.start(users.permissions, users.system.public)
        facts = await facts_of(server.url, users.system.seed)
        if not facts.sync_always:
            raise ServerFailed("nats-server does not fsync what it acknowledges", hint="unset NATS_SERVER")
        milliseconds = (time.perf_counter() - began) * 1000
        watcher(ServerReady(server.url, embedded=True, version=facts.version, milliseconds=milliseconds))
        keeping = asyncio.ensure_future(
            server.keep(users.permissions, users.system.public, lambda message: watcher(Notice(message)))
        )
        try:
            yield Reach(
                urls=(server.url,),
                embedded=True,
                runner=users.runner.seed,
                operator=users.operator.seed,
                ensembles={name: key.seed for name, key in users.ensembles.items()},
            )
        finally:
            keeping.cancel()
            await asyncio.wait((keeping,))


def _external(network: Network, urls: tuple[str, ...], credentials: str | None, watcher: Watcher) -> Reach:
    where = ", ".join(map(shown, urls))
    if credentials is None and not any("@" in url for url in urls):
        watcher(Notice(f"{where} is used without credentials: nothing keeps ensembles to their wiring there"))
    watcher(
        Notice(
            f"how {where} syncs its store cannot be read: unless it says `sync_interval: always`, a power cut may "
            "lose what it acknowledged"
        )
    )
    return Reach(
        urls=urls,
        embedded=False,
        runner=credentials,
        operator=credentials,
        ensembles=dict.fromkeys(network.ensembles, credentials),
    )
