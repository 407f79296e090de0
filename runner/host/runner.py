"""One runner: brings a network up on a NATS server, hosts its ensembles, and takes it down again."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from runner.bus.backlog import Backlog
from runner.bus.connection import Connection, connect
from runner.bus.events import Events
from runner.bus.facts import version_of
from runner.bus.known import KnownKeys
from runner.bus.questions import Questions
from runner.bus.records import Bucket
from runner.bus.streams import ensure_network, ensure_queue
from runner.catalog import declared
from runner.errors import EnsembleNetworkError, StartFailed
from runner.functions.loading import ModuleSpace
from runner.host.answers import Answers
from runner.host.census import GENERATION, Census
from runner.host.ensemble import HostedEnsemble
from runner.host.happenings import EnsembleMoved, NetworkReady, Watcher, Worked
from runner.host.inline_desk import InlineDesk
from runner.host.registry import Registry
from runner.host.server import Reach, server_for
from runner.model import Network
from runner.state import RunningNetwork, State
from runner.subjects import Subjects
from runner.work import CapabilityType, EnsembleState
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
    nats: str | None = None,
    only: frozenset[str] = frozenset(),
    without: frozenset[str] = frozenset(),
    watcher: Watcher = silent,
) -> AsyncIterator[Runner]:
    """A runner whose ensembles are all READY; leaving the block drains them and stops.

    `nats` is the address of a server to use in place of what the file says. `only` and `without` choose the ensembles
    that this runner hosts. Raises AlreadyRunning, ServerFailed, StartFailed. Call from the main thread.
    """
    began = time.perf_counter()
    state = State(workspace.state)
    state.prepare()
    async with AsyncExitStack() as stack:
        reach = await stack.enter_async_context(server_for(network, state, nats, watcher))
        hosted = frozenset(name for name in network.ensembles if (not only or name in only) and name not in without)
        runner = Runner(network, workspace, reach, hosted, watcher, began)
        stack.push_async_callback(runner.close)
        await runner.open()
        state.announce(_announcement(network, reach))
        stack.callback(state.retract)
        stack.push_async_callback(runner.stop_ensembles)
        await runner.start_ensembles()
        watcher(NetworkReady((time.perf_counter() - began) * 1000))
        yield runner


class Runner:
    """Opened, started, stopped and closed by `running`."""

    def __init__(
        self,
        network: Network,
        workspace: Workspace,
        reach: Reach,
        hosted: frozenset[str],
        watcher: Watcher,
        began: float,
    ) -> None:
        self.id = f"runner-{secrets.token_hex(4)}"
        self._network = network
        self._workspace = workspace
        self._reach = reach
        self._watcher = watcher
        self._began = began
        self._names = hosted
        self._subjects = Subjects(network.name)
        self._declared = declared(network)
        self._hosted: dict[str, HostedEnsemble] = {}
        self._modules = ModuleSpace(workspace.read, workspace.directory, GENERATION)
        self._connection: Connection | None = None
        self._known: KnownKeys | None = None
        self._questions: Questions | None = None
        self._watching: asyncio.Task[None] | None = None
        self._stop_asked = asyncio.Event()

    async def wait_stopped(self) -> None:
        """Return when somebody asked the network to stop."""
        await self._stop_asked.wait()

    async def open(self) -> None:
        """Streams, buckets, the catalog and the answers to questions: everything that ensembles stand on."""
        self._connection = await connect(
            self._reach.urls,
            caller="_runner",
            credentials=self._reach.runner,
            on_reconnect=self._on_reconnect,
            echo=False,
        )
        version_of(self._connection)
        defaults = self._network.defaults
        await ensure_network(
            self._connection,
            self._subjects,
            events_kept=self._network.events_kept,
            results_kept=defaults.results_kept,
        )
        registry = Registry(Bucket(self._connection, self._subjects.bucket("capabilities")))
        results = Bucket(self._connection, self._subjects.bucket("results"))
        backlog = Backlog(self._connection, self._subjects)
        self._known = KnownKeys(self._connection, results)
        desk = InlineDesk(results, self._known, registry, backlog, self._moved)
        await asyncio.gather(
            self._known.open(), registry.open(), *map(self._ensure_queue, sorted(self._network.ensembles))
        )
        await self._forget_the_dead(registry)
        for name in sorted(self._names):
            self._hosted[name] = HostedEnsemble(
                self._network,
                self._network.ensembles[name],
                desk,
                declared=self._declared,
                modules=self._modules,
                runner=self.id,
            )
        census = Census(
            self._network,
            self._declared,
            registry,
            backlog,
            results,
            self._hosted,
            runner=self.id,
            url=self._reach.urls[0],
        )
        self._questions = Questions(self._connection)
        answers = Answers(
            subjects=self._subjects,
            desk=desk,
            backlog=backlog,
            census=census,
            hosted=self._hosted,
            stop=self._stop_asked.set,
        )
        await self._questions.answer(self._subjects.control(self.id, "ping"), _pong)
        await answers.serve(self._questions)
        if self._watcher is not silent:
            self._watching = asyncio.ensure_future(self._watch_events(Events(self._connection, self._subjects)))

    async def start_ensembles(self) -> None:
        """All READY when this returns. Raises StartFailed naming the first that is not; the caller stops the others."""
        gate = asyncio.Semaphore(START_AT_ONCE)

        async def start(ensemble: HostedEnsemble) -> None:
            async with gate:
                try:
                    await ensemble.start(self._reach.urls, self._reach.ensembles[ensemble.name])
                except EnsembleNetworkError as problem:
                    self._moved(ensemble.name, EnsembleState.FAILED, problem.message)
                    message = f"{ensemble.name} did not come up: {problem.message}"
                    raise StartFailed(message, hint=problem.hint) from problem

        outcomes = await asyncio.gather(*map(start, self._hosted.values()), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def stop_ensembles(self) -> None:
        """Drain every ensemble, side by side, within the network's `drain_timeout`."""
        seconds = self._network.defaults.drain_timeout.total_seconds()
        await asyncio.gather(*(ensemble.stop(seconds) for ensemble in self._hosted.values()))

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait((self._watching,))
        if self._questions is not None:
            await self._questions.close()
        if self._known is not None:
            await self._known.close()
        if self._connection is not None:
            await self._connection.close()
        self._modules.close()

    async def _on_reconnect(self) -> None:
        if self._known is not None:
            self._known.reload()

    async def _ensure_queue(self, name: str) -> None:
        if any(c.provider == name and c.type is CapabilityType.TASK for c in self._declared.capabilities):
            limit = self._network.ensembles[name].capacity.queue_limit
            assert self._connection is not None
            await ensure_queue(self._connection, self._subjects, name, limit)

    async def _forget_the_dead(self, registry: Registry) -> None:
        """Registrations of runners that no longer answer, such as one that was killed."""
        assert self._connection is not None
        questions = Questions(self._connection)
        for runner in sorted(registry.runners()):
            if not await questions.ask(self._subjects.control(runner, "ping")):
                await registry.forget_runner(runner)

    async def _watch_events(self, events: Events) -> None:
        async for event in events.follow():
            self._watcher(Worked(event))

    def _moved(self, ensemble: str, state: EnsembleState, detail: str | None) -> None:
        self._watcher(EnsembleMoved(ensemble, state, (time.perf_counter() - self._began) * 1000, detail))


def _announcement(network: Network, reach: Reach) -> RunningNetwork:
    return RunningNetwork(
        network=network.name,
        url=reach.urls,
        pid=os.getpid(),
        embedded=reach.embedded,
        deadline_seconds=network.defaults.deadline.total_seconds(),
        priority=network.defaults.priority,
        credentials=reach.operator,
    )


async def _pong(*_: object) -> bytes:
    return b"{}"
