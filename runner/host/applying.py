"""How one runner goes from one configuration to the next while it works.

Read → warm → grant → start what is new → serve what is more → commit: new work begins with the new versions → wait for
the work that began before → withdraw what is gone → revoke. Until the commit everything can be given up, and nobody
notices; from then on nothing can fail but what the next change does again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from runner.bus.away import AWAY
from runner.errors import EnsembleNetworkError, ReloadFailed, ServerFailed, StartFailed
from runner.functions.loading import ModuleSpace
from runner.functions.threads import OneThread
from runner.host import replacing
from runner.host.aftermath import Aftermath
from runner.host.foundation import Foundation
from runner.host.hosted import AnyVersion, Hosted
from runner.host.housing import Housing
from runner.host.leave import refuse_without_leave
from runner.host.leaving import still_asked
from runner.host.loading import Begin, loaded
from runner.host.registering import registered
from runner.host.replacing import TakingOver
from runner.host.server import Site
from runner.host.together import together
from runner.host.version import Generation, targets_of
from runner.model import Network
from runner.work import Placement

SETTLED_SECONDS = 5.0
"""How long the server may take to say that it has what was sent to it."""


Read = Callable[[str], bytes]
"""The bytes of a file of one configuration, by its path; raises OSError."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What a new configuration changed on this runner, by name."""

    generation: int
    started: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class _Warm:
    """A generation that is loaded whole, and serves nobody yet."""

    generation: Generation
    changing: dict[str, AnyVersion] = field(default_factory=dict)
    replacing: dict[str, Hosted] = field(default_factory=dict)
    """What is to take the place of one that runs: it has other code, or another placement."""
    starting: dict[str, Hosted] = field(default_factory=dict)
    resting: dict[str, ModuleSpace] = field(default_factory=dict)
    """What is drained, and comes up again with these modules."""


@dataclass(slots=True, eq=False)
class Applying:
    """Of one runner. `hosted` are its ensembles, `chosen` tells which of a network are; `start` brings one up."""

    ground: Foundation
    site: Site
    housing: Housing
    hosted: dict[str, Hosted]
    directory: Path
    chosen: Callable[[str], bool]
    start: Callable[[Hosted], Awaitable[None]]
    aftermath: Aftermath = field(init=False)
    warming: OneThread = field(default_factory=lambda: OneThread("warm"))
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)
    _closed: bool = False

    def __post_init__(self) -> None:
        self.aftermath = Aftermath(self.ground, self.site, self.hosted, self._quiet)

    async def apply(self, network: Network, read: Read, number: int, commit: Callable[[], Awaitable[None]]) -> Changed:
        """The network works by this configuration when this returns; what began before may still be ending.

        `commit` is awaited when everything is ready and nothing has changed; what it raises gives the change up.
        Raises ReloadFailed; then all is as it was.
        """
        self._refuse(network)
        async with self._one:
            await self.aftermath.interrupt()
            try:
                await self.aftermath.gone(network.ensembles.keys())
                if self._closed:
                    raise ReloadFailed("the runner is stopping")
                return await self._apply(network, read, number, commit)
            except StartFailed as problem:
                raise ReloadFailed(problem.message, hint=problem.hint) from problem
            except (ServerFailed, *AWAY) as problem:
                why = str(problem) or type(problem).__name__
                raise ReloadFailed(f"the server does not take part: {why}") from problem
            finally:
                self.aftermath.begin()

    async def bring_up(self, ensemble: Hosted) -> None:
        """One that is to come up while nothing changes, as the network has it then. Raises what `start` raises."""
        async with self._one:
            if ensemble.name not in self.ground.network.ensembles:
                raise StartFailed(f"{ensemble.name} is not in the network any more")
            ensemble.renew(self.ground.in_force.generation)
            await self.start(ensemble)

    async def close(self) -> None:
        """Begin nothing more; what is under way has ended."""
        self._closed = True
        async with self._one:
            await self.aftermath.interrupt()
        self.warming.close()

    def _refuse(self, network: Network) -> None:
        now = self.ground.network
        restart = "stop it with `run-network down`, and start it again"
        if network.name != now.name:
            raise ReloadFailed(f"{now.name} cannot be renamed to {network.name} while it runs", hint=restart)
        if network.server != now.server:
            raise ReloadFailed("the network cannot go to another server while it runs", hint=restart)

    async def _apply(self, network: Network, read: Read, number: int, commit: Callable[[], Awaitable[None]]) -> Changed:
        before = self.ground.in_force.generation
        if self.site.embedded is None:
            await refuse_without_leave(self.ground.connection, before.network, network)
        warm = await self._warm(Generation.of(network, number, after=before), read)
        await self.site.grant(network, self._quiet)
        try:
            await self.ground.bring_to(warm.generation)
            await together(self.start(ensemble) for ensemble in warm.starting.values())
            await replacing.opened(warm.replacing.values(), self.site.reach)
            await together(
                self.hosted[name].extend(version)
                for name, version in warm.changing.items()
                if _differs(self.hosted[name].version, version)
            )
            await commit()
        except BaseException:
            await self._give_up(warm)
            raise
        return await self._switch(warm, before)

    async def _give_up(self, warm: _Warm) -> None:
        """What was begun for a generation that does not come: the aftermath withdraws the rest of it."""
        await together(ensemble.stop(0.0) for ensemble in warm.starting.values())
        await replacing.given_up(warm.replacing.values())
        with suppress(ServerFailed, *AWAY):  # the next change, or mending, does it again
            await self.ground.bring_back(warm.generation)

    async def _warm(self, generation: Generation, read: Read) -> _Warm:
        """Everybody's code loaded."""
        try:
            return await loaded(
                partial(self._load, generation, read), self.ground.desk.tell, self.directory, self.warming
            )
        except EnsembleNetworkError as problem:
            raise ReloadFailed(problem.message, hint=problem.hint) from problem

    def _load(self, generation: Generation, read: Read, begin: Begin) -> _Warm:
        fresh = ModuleSpace(read, self.directory, generation.number)
        try:
            return self._loaded(generation, read, fresh, begin)
        except BaseException:
            fresh.close()  # what was loaded before the failure has no user, and none is to come
            raise

    def _loaded(self, generation: Generation, read: Read, fresh: ModuleSpace, begin: Begin) -> _Warm:
        warm = _Warm(generation)
        for name in sorted(filter(self.chosen, generation.network.ensembles)):
            begin(name)
            hosted = self.hosted.get(name)
            if hosted is None:
                warm.starting[name] = self.housing.house(generation, name, fresh)
                warm.starting[name].prepare()
                continue
            ensemble = generation.network.ensembles[name]
            modules = hosted.modules if hosted.is_as(targets_of(ensemble), read) else fresh
            if not hosted.is_kept:
                warm.resting[name] = modules
            elif needs_successor(hosted, ensemble.placement, modules):
                warm.replacing[name] = self.housing.house(generation, name, fresh)
                warm.replacing[name].prepare()
            else:
                warm.changing[name] = hosted.version_in(generation, modules)
        return warm

    async def _switch(self, warm: _Warm, before: Generation) -> Changed:
        """It is decided. Who is called is ready first, and calls wait there; then all change in one turn of the loop;
        then everybody is told.
        """
        generation = warm.generation
        was = {name: hosted.version for name, hosted in self.hosted.items()}
        taking = TakingOver(warm.replacing, self.hosted)
        try:
            try:
                await taking.stand()
                await self._paused(warm)
            finally:
                removed = self._turn(warm, taking)
            await self._told(warm, was, removed, taking)
        finally:
            await taking.close()
        updated = [name for name, version in warm.changing.items() if _differs(was[name], version)]
        return Changed(
            generation.number, tuple(warm.starting), tuple(sorted([*updated, *warm.replacing])), tuple(removed)
        )

    async def _paused(self, warm: _Warm) -> None:
        apart = [self.hosted[name] for name in warm.changing if self.hosted[name].placement is Placement.PROCESS]
        if apart:
            await asyncio.gather(*(hosted.pause() for hosted in apart))

    def _turn(self, warm: _Warm, taking: TakingOver) -> list[str]:
        """Nothing begins in between that sees half of it. Who is gone from the network."""
        generation = warm.generation
        self.ground.in_force.generation = generation
        for name, version in warm.changing.items():
            self.hosted[name].switch(version)
        for name, modules in warm.resting.items():
            self.hosted[name].modules = modules
        for ensemble in warm.starting.values():
            ensemble.admit()
        taking.admit()
        self.hosted.update(warm.starting)
        return [name for name in sorted(self.hosted) if name not in generation.network.ensembles]

    async def _told(
        self, warm: _Warm, was: dict[str, AnyVersion | None], removed: list[str], taking: TakingOver
    ) -> None:
        """Others know what is on offer when this returns, and every process that answers knows it too."""
        generation = warm.generation
        asked = still_asked(removed, generation.leaving_callers, self._is_busy)
        told = [
            registered(self.hosted[name])
            for name, version in warm.changing.items()
            if (old := was[name]) is None or old.capabilities != version.capabilities or self.hosted[name].retired
        ]
        told += [registered(ensemble) for ensemble in warm.starting.values()]
        retired = [self.hosted[name].retire(still_asked=name in asked) for name in removed]
        await asyncio.gather(*told, *retired, taking.register())
        await self.housing.show(self.hosted.values())

    def _is_busy(self, name: str) -> bool:
        """Whether it has something in hand, or may have on another runner."""
        here = self.hosted.get(name)
        runner = self.ground.pulse.runner
        elsewhere = any(registration.runner != runner for registration in self.ground.registry.of(name))
        return elsewhere or (here is not None and here.in_flight > 0)

    @asynccontextmanager
    async def _quiet(self) -> AsyncIterator[None]:
        """Calls that are in hand at any time in here are answered by the runner.

        The server has what was answered before when the block begins; what it delivered before the block ends is here.
        """
        desk = self.ground.desk
        desk.reloads |= 1
        try:
            await self._settled()
            yield
        finally:
            try:
                await self._settled()
            finally:
                desk.reloads += 1
                for hosted in self.hosted.values():
                    hosted.told_of_reload()

    async def _settled(self) -> None:
        async with asyncio.timeout(SETTLED_SECONDS):
            await asyncio.gather(*(hosted.settled() for hosted in self.hosted.values()))


def needs_successor(hosted: Hosted, placement: Placement, modules: ModuleSpace) -> bool:
    """Whether a change takes another instance: a process has one code for as long as it lives."""
    if hosted.placement is not placement:
        return True
    return placement is Placement.PROCESS and modules is not hosted.modules


def _differs(old: AnyVersion | None, new: AnyVersion) -> bool:
    return old is None or old.ensemble != new.ensemble or old.modules is not new.modules


async def nothing() -> None:
    """A commit that needs nobody's leave."""
