"""One runner: brings a network up on a NATS server, hosts its ensembles, and takes it down again."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from runner.beat import Beat, Lease
from runner.bus.away import AWAY
from runner.bus.connection import settled
from runner.bus.events import Events
from runner.bus.questions import Questions
from runner.config.reading import Reading
from runner.endings import ended
from runner.errors import EnsembleNetworkError, StartFailed, UsageProblem
from runner.functions.loading import ModuleSpace
from runner.host.announcement import Announcement
from runner.host.answers import Answers
from runner.host.applied import Files, configuration_for
from runner.host.applying import Applying, Changed, Read, nothing
from runner.host.burial import Burial
from runner.host.census import Census
from runner.host.changing import changing
from runner.host.draining import Draining
from runner.host.duties import Duties
from runner.host.ensemble import HostedEnsemble
from runner.host.foundation import Foundation, foundation
from runner.host.happenings import Configured, EnsembleMoved, NetworkReady, Notice, Watcher, Worked
from runner.host.heartbeat import APART, Heartbeat
from runner.host.hosted import Hosted
from runner.host.housing import Housing
from runner.host.leave import lacking
from runner.host.loading import Begin, LoadsTooLong, loaded
from runner.host.server import Site, server_for
from runner.host.tidying import Tidying
from runner.host.version import Generation, InForce
from runner.host.whereabouts import Whereabouts
from runner.model import Network
from runner.routing.wiring import drain_order
from runner.state import RunningNetwork, State
from runner.subjects import RUNNERS
from runner.work import EnsembleState
from runner.workspace import Workspace

START_AT_ONCE = 64
"""How many ensembles come up side by side."""


def silent(_: object) -> None:
    """A watcher that looks away."""


@asynccontextmanager
async def running(
    network: Network,
    workspace: Workspace,
    *,
    reading: Reading | None = None,
    nats: str | None = None,
    join: bool = False,
    only: frozenset[str] = frozenset(),
    without: frozenset[str] = frozenset(),
    watch: bool = False,
    watcher: Watcher = silent,
) -> AsyncIterator[Runner]:
    """A runner whose ensembles are all READY; leaving the block drains them and stops.

    `reading` is what the network was read from; without it, the files are read again. Where the network has runners
    already, what they run is run here too.

    `nats` is the address of a server to use in place of what the file says; with `join` the embedded server may be
    another runner's. `only` and `without` choose the ensembles that this runner hosts. With `watch`, what is
    saved in the directory is applied, on an embedded server by its owner. Raises AlreadyRunning, ServerFailed,
    StartFailed, InvalidNetwork. Call from the main thread.
    """
    began = time.perf_counter()
    state = State(workspace.state)
    state.prepare()
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(server_for(network, state, nats, watcher, join=join))
        files = Files.of(workspace, network, reading)
        configuration = await configuration_for(files, site.reach, watcher, owns=site.owns())
        network = configuration.network
        if not configuration.own:
            site.follow(network)
        watcher(Configured(network, configuration.applied, configuration.own))
        chosen = chooser(network, only, without)

        def moved(ensemble: str, ensemble_state: EnsembleState, detail: str | None) -> None:
            watcher(EnsembleMoved(ensemble, ensemble_state, (time.perf_counter() - began) * 1000, detail))

        runner_id = f"runner-{secrets.token_hex(4)}"
        generation = Generation.of(network, configuration.applied.generation)
        ground = await foundation(InForce(generation), site.reach, runner_id, moved)
        stack.push_async_callback(ground.close)
        if site.embedded is None and (told := await lacking(ground.connection, network)):
            watcher(Notice(told))
        await ground.lay()
        if site.embedded is not None and site.owns() and not state.is_joined():
            await ground.clear()
        runner = Runner(configuration.code(workspace), workspace.directory, site, ground, chosen, watcher)
        stack.push_async_callback(runner.close)
        await runner.open()
        deleted = partial(runner.lost, state.directory)
        said = partial(_announced, site=site, ground=ground, file=workspace.file.name)
        announcement = Announcement(state, said, site.speaks, deleted)
        stack.push_async_callback(announcement.close)
        announcement.open()
        if site.reach.embedded:
            stack.push_async_callback(runner.see_others_off, site.speaks)
        stack.push_async_callback(runner.stop_ensembles)
        await runner.start_ensembles()
        watches = (lambda: site.embedded is None or site.owns()) if watch else None
        await stack.enter_async_context(
            changing(runner, site, configuration, workspace, ground, runner.census, watcher, watches, files.reading)
        )
        watcher(NetworkReady((time.perf_counter() - began) * 1000))
        yield runner


def chooser(network: Network, only: frozenset[str], without: frozenset[str]) -> Callable[[str], bool]:
    """Which ensembles a runner of the network hosts, of this one and of those that come after.

    Raises UsageProblem for one that the network does not have.
    """
    if unknown := sorted((only | without) - network.ensembles.keys()):
        message = f"there is no ensemble `{unknown[0]}` in what is applied"
        raise UsageProblem(message, hint="`run-network status` lists those of the network that runs")
    return lambda name: (not only or name in only) and name not in without


class Runner:
    """Opened, started, stopped and closed by `running`."""

    def __init__(
        self,
        read: Read,
        directory: Path,
        site: Site,
        ground: Foundation,
        chosen: Callable[[str], bool],
        watcher: Watcher,
    ) -> None:
        self.id = ground.pulse.runner
        self._site = site
        self._ground = ground
        self._watcher = watcher
        generation = ground.in_force.generation
        self._modules = ModuleSpace(read, directory, generation.number)
        self._questions = Questions(ground.connection, ground.subjects)
        self._watching: asyncio.Task[None] | None = None
        self._heartbeat = Heartbeat(directory, ground.desk.tell, lambda told: watcher(Notice(told)), APART)
        self._stop_asked = asyncio.Event()
        if site.embedded is not None and not site.owns():
            ground.desk.reloads = 1  # the owner reloads the server without a word: the runner answers all calls
        self._housing = housing = Housing(ground)
        self._hosted: dict[str, Hosted] = {
            name: housing.house(generation, name, self._modules)
            for name in sorted(filter(chosen, generation.network.ensembles))
        }
        self._silent: Mapping[str, Beat] = {}
        self._applying = Applying(ground, site, housing, self._hosted, directory, chosen, self._start)
        self._draining = Draining(self._hosted, self._anew, self._applying.bring_up, self._drain_seconds)
        self._started_at = datetime.now(UTC)
        self.census = Census(ground, self._hosted, own=lambda: self._beat(0))
        self._duties = Duties(ground)

    async def wait_stopped(self) -> None:
        """Return when somebody asked the network to stop."""
        await self._stop_asked.wait()

    def lost(self, directory: Path) -> None:
        """Somebody deleted the directory of the running network, and with it the store of its server: it stops."""
        self._watcher(Notice(f"{directory} was deleted: stopping; what its store held is lost, and `up` starts anew"))
        self._stop_asked.set()

    async def open(self) -> None:
        """Answer questions, and tell the watcher of events."""
        ground = self._ground
        self._heartbeat.open()
        await self._questions.answer(ground.subjects.control(self.id, "ping"), _pong)
        await self._questions.answer(ground.subjects.control(RUNNERS, "ping"), _pong)
        whereabouts = Whereabouts(
            self._questions, ground.subjects, ground.pulse, ground.registry, self._housing.everyone
        )
        stop = self._stop_asked.set
        answers = Answers(ground, self.census, self._hosted, runner=self.id, whereabouts=whereabouts, stop=stop)
        await answers.serve(self._questions)
        ground.pulse.on_change(self._heard)
        await self._draining.serve(self._questions, ground.subjects)
        ground.pulse.start(self._beat)
        ground.leadership.perform(Burial(ground.pulse, ground.registry, self._site.reach).perform)
        ground.leadership.perform(self._duties.perform)
        ground.leadership.perform(Tidying(ground.bundles).perform)
        ground.leadership.on_change(self._led)
        await ground.leadership.open()
        if self._watcher is not silent:
            self._watching = asyncio.ensure_future(self._watch_events(Events(ground.connection, ground.subjects)))

    async def apply(
        self, network: Network, read: Read, generation: int, commit: Callable[[], Awaitable[None]] = nothing
    ) -> Changed:
        """The network works by another configuration when this returns; `read` gives the bytes of its files.

        What it does not touch goes on as it is. What began before ends with the code and wiring that it began with.
        `commit` is awaited when everything is ready and nothing has changed. Raises ReloadFailed, or what `commit`
        raises; then all is as it was.
        """
        changed = await self._applying.apply(network, read, generation, commit)
        await self._ground.pulse.say()
        return changed

    async def start_ensembles(self) -> None:
        """All READY when this returns. Raises StartFailed naming the first that is not; the caller stops the others."""
        failed = await self._load(self._hosted.values())
        gate = asyncio.Semaphore(START_AT_ONCE)

        async def start(ensemble: Hosted) -> None:
            async with gate:
                await self._start(ensemble, failed.get(ensemble.name))

        outcomes = await asyncio.gather(*map(start, self._hosted.values()), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        await self._housing.show(self._hosted.values())
        await self._ground.pulse.say()

    async def _load(self, ensembles: Iterable[Hosted]) -> Mapping[str, StartFailed]:
        """Have their code; why not, by name, where it cannot be had. Raises StartFailed where that takes too long."""
        failed: dict[str, StartFailed] = {}

        def load(begin: Begin) -> None:
            for ensemble in ensembles:
                if ensemble.version is None:
                    begin(ensemble.name)
                    try:
                        ensemble.load_code()
                    except StartFailed as problem:
                        failed[ensemble.name] = problem

        try:
            await loaded(load, self._ground.desk.tell, self._modules.directory, self._applying.warming)
        except LoadsTooLong as problem:
            raise self._not_up(problem.ensemble, problem) from problem
        return failed

    async def _start(self, ensemble: Hosted, failed: StartFailed | None = None) -> None:
        """Raises StartFailed; `failed` is why its code cannot be had, where that is known."""
        if failed is None and ensemble.version is None:
            failed = (await self._load([ensemble])).get(ensemble.name)
        try:
            if failed is not None:
                raise failed
            reach = self._site.reach
            await ensemble.start(reach.urls, reach.ensembles[ensemble.name])
        except EnsembleNetworkError as problem:
            raise self._not_up(ensemble.name, problem) from problem
        except AWAY as problem:
            why = f"the server went away meanwhile: {str(problem) or type(problem).__name__}"
            raise self._not_up(ensemble.name, StartFailed(why, hint="start it again")) from problem

    def _not_up(self, name: str, problem: EnsembleNetworkError) -> StartFailed:
        self._ground.desk.moved(name, EnsembleState.FAILED, problem.message)
        return StartFailed(f"{name} did not come up: {problem.message}", hint=problem.hint)

    async def stop_ensembles(self) -> None:
        """Drain within the network's `drain_timeout`: callers before those they call, so that no call finds nobody."""
        give_up = time.monotonic() + self._drain_seconds()
        await self._applying.close()
        await self._draining.settle()
        network = self._ground.network
        leaving = frozenset(self._hosted) - network.ensembles.keys()
        for group in (*drain_order(network), leaving):
            here = [self._hosted[name] for name in sorted(group) if name in self._hosted]
            await asyncio.gather(*(ensemble.stop(max(0.0, give_up - time.monotonic())) for ensemble in here))
        await self._applying.aftermath.gone()

    async def see_others_off(self, owns: Callable[[], bool]) -> None:
        """Where the whole network stops, whoever keeps its server goes last: others still finish what they work on."""
        if self._stop_asked.is_set() and owns():
            await self._ground.pulse.until_alone(self._drain_seconds())

    async def close(self) -> None:
        self._heartbeat.close()
        if self._watching is not None:
            with suppress(*AWAY):  # the last events are on their way
                await settled(self._ground.connection)
                await asyncio.sleep(0)
            await ended(self._watching)
        await self._questions.close()
        await self._housing.close()
        for modules in (self._modules, *(ensemble.modules for ensemble in self._hosted.values())):
            modules.close()

    def _anew(self, name: str) -> Hosted:
        """One that was drained, as it is in the network now."""
        return self._housing.house(self._ground.in_force.generation, name, self._hosted[name].modules)

    def _drain_seconds(self) -> float:
        return self._ground.network.defaults.drain_timeout.total_seconds()

    def _beat(self, sequence: int) -> Beat:
        return Beat(
            runner=self.id,
            pid=os.getpid(),
            host=socket.gethostname(),
            url=self._site.reach.shown,
            server=self._ground.connection.server_id,
            clients=self._clients(),
            started_at=self._started_at,
            generation=self._ground.in_force.generation.number,
            refused=self.census.refused,
            sequence=sequence,
            ensembles=tuple(ensemble.vitals for ensemble in self._hosted.values()),
        )

    def _clients(self) -> tuple[int, ...]:
        """The connections by which others give this runner work; its pulse has one of its own."""
        found = (self._ground.connection.client_id, *(ensemble.client for ensemble in self._hosted.values()))
        return tuple(client for client in found if client is not None)

    def _heard(self) -> None:
        """Tell of runners that fell silent, and of those that are heard again."""
        silent = self._ground.pulse.silent()
        for runner in sorted(silent.keys() - self._silent.keys()):
            where = f"pid {silent[runner].pid} on {silent[runner].host}"
            self._watcher(Notice(f"{runner} ({where}) is not heard any more: nothing is routed to it"))
        for runner in sorted((self._silent.keys() - silent.keys()) & self._ground.pulse.others()):
            self._watcher(Notice(f"{runner} is heard again"))
        self._silent = silent
        for ensemble in self._hosted.values():
            if isinstance(ensemble, HostedEnsemble):
                ensemble.see_change()

    def _led(self, before: str, lease: Lease) -> None:
        self._watcher(Notice(f"{lease.runner} leads the network in place of {before} (epoch {lease.epoch})"))

    async def _watch_events(self, events: Events) -> None:
        async for event in events.live():
            self._watcher(Worked(event))


def _announced(*, site: Site, ground: Foundation, file: str) -> RunningNetwork:
    network, reach = ground.network, site.reach
    return RunningNetwork(
        network=network.name,
        url=reach.urls,
        pid=os.getpid(),
        embedded=reach.embedded,
        deadline_seconds=network.defaults.deadline.total_seconds(),
        priority=network.defaults.priority,
        max_payload=network.defaults.max_payload,
        credentials=reach.operator,
        file=file,
    )


async def _pong(*_: object) -> bytes:
    return b"{}"
