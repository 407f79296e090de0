"""The embedded server of a directory, as one runner sees it: its own child while it owns the directory, else another's.

The server dies with its owner. A runner that joined waits for the directory to be free, and one of those who do then
owns it: it starts the server again on the same port and store, and every connection comes back by itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from runner.bus.facts import facts_of
from runner.bus.server import NatsServer
from runner.bus.server_config import ServerFiles
from runner.endings import ended
from runner.errors import AlreadyRunning, ServerFailed
from runner.host.happenings import Notice, ServerReady, Watcher
from runner.host.reach import Reach
from runner.host.users import Users, users_of
from runner.model import Network
from runner.state import Hold, RunningNetwork, State, runs

LOOK_SECONDS = 0.02
OWN_SECONDS = 0.1
"""For how long a directory may look owned that is only looked at."""

FIND_SECONDS = 15.0
"""How long an owner may take to come up before joining it is given up."""

TAKE_SECONDS = 0.1
"""How often one who joined looks whether the owner has gone."""

Quiet = Callable[[], AbstractAsyncContextManager[None]]
"""Around a reload: the server forgets with it who may answer what it delivered before."""


class Embedded:
    """Opened and closed by `server_for`, in the main thread."""

    def __init__(self, network: Network, state: State, watcher: Watcher) -> None:
        self._network = network
        self._state = state
        self._watcher = watcher
        self._users = users_of(network, state.keys)
        self._wanted: tuple[Network, Users] | None = None
        self._server = NatsServer(ServerFiles(state.directory))
        self._url = ""
        self._owned: Hold | None = None
        self._joined: Hold | None = None
        self._keeping: asyncio.Task[None] | None = None

    def owns(self) -> bool:
        """Whether the server is this runner's child."""
        return self._owned is not None

    async def open(self, *, join: bool) -> Reach:
        """The server answers, and is kept answering from now on. Raises AlreadyRunning, ServerFailed."""
        began = time.perf_counter()
        running = await self._owner(join)
        url, version = (running.url[0], None) if running is not None else await self._serve()
        milliseconds = (time.perf_counter() - began) * 1000
        self._watcher(ServerReady(url, True, version, milliseconds, joined=None if running is None else running.pid))
        self._keeping = asyncio.ensure_future(self._keep())
        return self._reach(url)

    def follow(self, network: Network) -> Reach:
        """Have the users of another configuration, from now on and after a take-over. Made where they are new."""
        self._network, self._users = network, self._users_of(network)
        return self._reach(self._url)

    def _reach(self, url: str) -> Reach:
        self._url = url
        return Reach(
            urls=(url,),
            embedded=True,
            runner=self._users.runner.seed,
            operator=self._users.operator.seed,
            ensembles={name: key.seed for name, key in self._users.ensembles.items()},
            system=self._users.system.seed,
        )

    async def grant(self, network: Network, quiet: Quiet) -> Mapping[str, str]:
        """What this network's ensembles may do is allowed, beside all that is; the seeds of their keys.

        The server's owner sees to it, for all. Raises ServerFailed; then all is as it was.
        """
        wanted = self._users_of(network)
        now = self._users.permissions
        both = {**now, **{user: may | now.get(user, may) for user, may in wanted.permissions.items()}}
        await self._allow(replace(wanted, permissions=both), quiet)
        return {name: key.seed for name, key in wanted.ensembles.items()}

    async def revoke(self, network: Network, quiet: Quiet) -> None:
        """Nothing is allowed any more but what this network's ensembles may do. Raises ServerFailed."""
        await self._allow(self._users_of(network), quiet)

    def _users_of(self, network: Network) -> Users:
        """Who stays keeps the key that the server knows."""
        if self._wanted is None or self._wanted[0] is not network:
            self._wanted = network, users_of(network, self._state.keys, self._users.ensembles)
        return self._wanted[1]

    async def _allow(self, users: Users, quiet: Quiet) -> None:
        if self.owns() and users.permissions != self._users.permissions:
            async with quiet():
                await self._server.allow(users.permissions, users.system)
        self._users = users

    async def close(self) -> None:
        """Stop the server where it is ours, and leave the directory to others."""
        await ended(self._keeping)
        await self._server.stop()
        for hold in filter(None, (self._joined, self._owned)):
            hold.release()

    async def _owner(self, join: bool) -> RunningNetwork | None:
        """Who owns the directory; None where this runner does now. Raises AlreadyRunning."""
        give_up = time.monotonic() + (FIND_SECONDS if join else OWN_SECONDS)
        while True:
            if (owned := self._state.take()) is not None:
                self._owned = owned
                return None
            running = self._state.running()
            if join and running is not None and running.embedded and runs(running.pid):
                return self._same(running)
            if time.monotonic() > give_up:
                who = f" (pid {running.pid})" if running else ""
                raise AlreadyRunning(f"a network is already running in {self._state.directory.parent}{who}")
            await asyncio.sleep(LOOK_SECONDS)

    def _same(self, running: RunningNetwork) -> RunningNetwork:
        """Raises AlreadyRunning for another network than ours."""
        if running.network != self._network.name:
            raise AlreadyRunning(
                f"the network that runs here (pid {running.pid}) is `{running.network}`, not `{self._network.name}`",
                hint=f"name its file with --file, or run `{self._network.name}` in a directory of its own",
            )
        return running

    async def _serve(self) -> tuple[str, str | None]:
        """Address and version of the server, started."""
        server, users = self._server, self._users
        await server.start(users.permissions, users.system.public)
        facts = await facts_of(server.url, users.system.seed)
        if not facts.sync_always:
            raise ServerFailed("nats-server does not fsync what it acknowledges", hint="unset NATS_SERVER")
        return server.url, facts.version

    async def _keep(self) -> None:
        """Own the directory as soon as nobody else does; while this runner does, its server runs."""
        while self._owned is None:
            self._joined = self._joined or self._state.join()
            self._owned = self._state.take()
            if self._owned is None:
                await asyncio.sleep(TAKE_SECONDS)
            else:
                self._tell("the runner that kept nats-server is gone: this one starts it again")
        if self._joined is not None:
            self._joined.release()
            self._joined = None
        await self._server.keep(self._users.permissions, self._users.system.public, self._tell)

    def _tell(self, message: str) -> None:
        self._watcher(Notice(message))
