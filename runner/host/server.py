"""The server a runner works on: its own, or one that somebody else runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from runner.host.embedded import Embedded, Quiet
from runner.host.happenings import Notice, Watcher
from runner.host.reach import Reach, shown
from runner.model import EmbeddedServer, ExternalServer, Network
from runner.state import State


@dataclass(slots=True)
class Site:
    """Where a runner works. `speaks` tells whether it is the one who tells clients of the directory where that is.

    `owns` tells whether the server is its own; `reach_of` how everybody in another configuration reaches it.
    """

    reach: Reach
    speaks: Callable[[], bool]
    owns: Callable[[], bool]
    reach_of: Callable[[Network], Reach]
    embedded: Embedded | None = None

    def follow(self, network: Network) -> None:
        """Be of another configuration, before anything of it runs here."""
        self.reach = self.reach_of(network)

    async def grant(self, network: Network, quiet: Quiet) -> None:
        """Everybody of this network, and of the present one, reaches the server, and may do what its file says.

        `quiet` is around each reload of the server. On a server that is somebody else's nothing is granted.
        Raises ServerFailed; then all is as it was.
        """
        if self.embedded is None:
            granted: Mapping[str, str | None] = dict.fromkeys(network.ensembles, self.reach.runner)
        else:
            granted = await self.embedded.grant(network, quiet)
        self.reach = replace(self.reach, ensembles={**self.reach.ensembles, **granted})

    async def revoke(self, network: Network, quiet: Quiet) -> None:
        """Only what this network needs is allowed from now on. Raises ServerFailed."""
        if self.embedded is not None:
            await self.embedded.revoke(network, quiet)


@asynccontextmanager
async def server_for(
    network: Network, state: State, nats: str | None, watcher: Watcher, *, join: bool = False
) -> AsyncIterator[Site]:
    """A server for as long as the block runs. `nats` goes before what the file says.

    With `join` the embedded server may be another runner's: should that one go, one of those who joined starts it
    again. Raises AlreadyRunning, ServerFailed.
    """
    server = network.server
    match server:
        case EmbeddedServer() if nats is None:
            embedded = Embedded(network, state, watcher)
            try:
                yield Site(await embedded.open(join=join), embedded.owns, embedded.owns, embedded.follow, embedded)
            finally:
                await embedded.close()
        case EmbeddedServer() | ExternalServer():
            credentials = server.credentials if isinstance(server, ExternalServer) else None
            urls = tuple(nats.split(",")) if nats else server.url if isinstance(server, ExternalServer) else ()
            _tell_of(urls, credentials, watcher)

            def reach_of(other: Network) -> Reach:
                return _external(other, urls, credentials)

            yield Site(reach_of(network), lambda: not state.is_locked(), lambda: False, reach_of)


def _tell_of(urls: tuple[str, ...], credentials: str | None, watcher: Watcher) -> None:
    where = ", ".join(map(shown, urls))
    if credentials is None and not any("@" in url for url in urls):
        watcher(Notice(f"{where} is used without credentials: nothing keeps ensembles to their wiring there"))
    watcher(
        Notice(
            f"how {where} syncs its store cannot be read: unless it says `sync_interval: always`, a power cut may "
            "lose what it acknowledged"
        )
    )


def _external(network: Network, urls: tuple[str, ...], credentials: str | None) -> Reach:
    return Reach(
        urls=urls,
        embedded=False,
        runner=credentials,
        operator=credentials,
        ensembles=dict.fromkeys(network.ensembles, credentials),
    )
