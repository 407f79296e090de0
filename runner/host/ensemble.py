"""One running ensemble: STARTING → READY → DRAINING → STOPPED."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping

from runner import __version__
from runner.beat import Vitals
from runner.bus.away import AWAY
from runner.bus.caller import Caller
from runner.bus.connection import Connection, connect, settled
from runner.bus.events import Events
from runner.bus.failures import Room
from runner.bus.payloads import Payloads
from runner.bus.service import ToolService
from runner.errors import ServerFailed
from runner.functions.loading import ModuleSpace
from runner.functions.threads import DaemonThreads
from runner.host.crew import Crew
from runner.host.desk import Desk
from runner.host.slots import Slots
from runner.host.task_queue import TaskQueue
from runner.host.tool_calls import ToolCalls
from runner.host.version import Generation, Version, version_of
from runner.host.workplace import Station, Workplace
from runner.subjects import Subjects
from runner.work import CapabilityInfo, EnsembleState, Priority, Registration

STEP_SECONDS = 5.0
"""How long one step of stopping may take beside the draining itself."""

MAX_THREADS = 1024
"""Plain functions run in threads; one that waits for another ensemble keeps its thread, though not its slot."""


class HostedEnsemble:
    """Hosts one ensemble on one runner. `start` and `stop` once each, in this order."""

    def __init__(self, generation: Generation, name: str, desk: Desk, *, modules: ModuleSpace, runner: str) -> None:
        self.name = name
        self.runner = runner
        self.state = EnsembleState.STARTING
        self.detail: str | None = None
        self._generation = generation
        self._modules = modules
        self._desk = desk
        self._log = logging.getLogger(f"runner.ensemble.{name}")
        self._crew = Crew()
        self._executor = DaemonThreads(MAX_THREADS, name)
        self._slots = Slots(generation.network.ensembles[name].capacity.max_concurrent, self._slot_freed)
        self._connection: Connection | None = None
        self._caller: Caller | None = None
        self._events: Events | None = None
        self._service: ToolService | None = None
        self._calls: ToolCalls | None = None
        self._queue: TaskQueue | None = None
        self._offered: tuple[CapabilityInfo, ...] = ()

    @property
    def in_flight(self) -> int:
        """How many slots are taken, plus how many requests wait for somebody else: all pieces of work in hand."""
        return len(self._crew)

    @property
    def constrained(self) -> bool:
        """Whether more tasks wait for it, over all replicas, than `capacity.backpressure` allows."""
        return self._queue is not None and self._queue.pressure.constrained

    @property
    def load(self) -> float:
        """Requests in hand over slots."""
        return round(len(self._crew) / self._slots.count, 3)

    @property
    def client(self) -> int | None:
        """The server's number for its connection."""
        return self._connection.client_id if self._connection is not None and self._connection.is_connected else None

    @property
    def vitals(self) -> Vitals:
        """How it is now, for the runner's beat and for who asks."""
        return Vitals(
            ensemble=self.name,
            state=self.state,
            in_flight=self.in_flight,
            in_hand=dict(self.in_hand()),
            slots=self._slots.count,
            load=self.load,
            constrained=self.constrained,
            detail=self.detail,
        )

    async def start(self, urls: tuple[str, ...], credentials: str | None) -> None:
        """READY when this returns: serving, pulling, registered. Raises StartFailed, ServerFailed."""
        self._move(EnsembleState.STARTING)
        version = version_of(self._generation, self.name, self._modules, self._executor)
        self._connection = await connect(
            urls, caller=self.name, credentials=credentials, on_reconnect=self._on_reconnect
        )
        payloads = self._payloads(version, self._connection)
        subjects = Subjects(version.network.name)
        self._caller = Caller(self._connection, subjects, self.name, payloads, self._room)
        await self._caller.open()
        self._events = Events(self._connection, subjects)
        station = Station(
            name=self.name,
            subjects=subjects,
            connection=self._connection,
            caller=self._caller,
            events=self._events,
            desk=self._desk,
            slots=self._slots,
            runner=self.runner,
            log=self._log,
        )
        await self._serve(station, version, payloads)
        await settled(self._connection)
        self._offered = version.capabilities
        await self._register(EnsembleState.READY)
        self._move(EnsembleState.READY)

    async def stop(self, drain_seconds: float) -> None:
        """Take nothing more, let what is in hand finish within the bound, and be gone. What is left stays queued."""
        if self.state in (EnsembleState.DRAINING, EnsembleState.STOPPED):
            return
        self._move(EnsembleState.DRAINING)
        await self._quietly(self._register(EnsembleState.DRAINING))
        if self._service is not None:
            await self._quietly(self._service.close())
        if self._queue is not None:
            await self._quietly(self._queue.stop_intake())
        culprits = await self._crew.finish(drain_seconds)
        if self._queue is not None:
            await self._queue.close()
        await self._quietly(self._register(EnsembleState.STOPPED))
        if self._events is not None:
            await self._quietly(self._events.close())
        if self._connection is not None:
            await self._quietly(self._disconnect(self._connection))
        self._executor.shutdown()
        self.detail = f"stopped waiting for {', '.join(culprits)}" if culprits else None
        self._move(EnsembleState.STOPPED, self.detail)

    def cancel(self, caller: str, request_id: str) -> bool:
        """Cancel a task or a tool call in hand. False where it is not here."""
        task = self._queue is not None and self._queue.cancel(caller, request_id)
        return (self._calls is not None and self._calls.cancel(caller, request_id)) or task

    def in_hand(self) -> Mapping[Priority, int]:
        """How many tasks of each priority are worked on here."""
        return self._queue.in_hand() if self._queue is not None else {}

    def messages(self, caller: str, request_id: str) -> tuple[int, ...]:
        """In which messages of its queue, by sequence, a task is in hand here."""
        return self._queue.messages(caller, request_id) if self._queue else ()

    def holds(self, caller: str, request_id: str) -> bool:
        return self._queue is not None and self._queue.holds(caller, request_id)

    async def _serve(self, station: Station, version: Version, payloads: Payloads) -> None:
        workplace = Workplace.of(station, version, payloads)
        if version.tools:
            self._service = ToolService(station.connection, station.subjects, self.name, __version__)
            self._calls = ToolCalls(workplace, self._crew, self._service.counts)
            await self._service.open(version.tools, self._calls.handle, version.ensemble.description)
        if version.takes_tasks:
            self._queue = TaskQueue(station, workplace, self._crew)
            await self._queue.open()

    def _payloads(self, version: Version, connection: Connection) -> Payloads:
        return Payloads.over(self._desk, version.network.defaults.max_payload, connection.max_payload)

    async def _register(self, state: EnsembleState) -> None:
        offered = self._offered if state is EnsembleState.READY else ()
        await self._desk.register(
            Registration(ensemble=self.name, runner=self.runner, state=state, capabilities=offered)
        )

    async def _on_reconnect(self) -> None:
        if self._caller is not None:
            self._caller.nudge()
        if self._queue is not None:
            self._queue.reconnected()

    async def _disconnect(self, connection: Connection) -> None:
        if not connection.is_closed:
            await settled(connection)
            await connection.close()

    async def _quietly(self, step: Awaitable[None]) -> None:
        """One step of stopping: a server that is away must not keep the next from happening."""
        try:
            async with asyncio.timeout(STEP_SECONDS):
                await step
        except (*AWAY, ServerFailed) as problem:
            self._log.warning("while stopping: %s", str(problem) or type(problem).__name__)

    def _room(self, provider: str, task: str) -> Room:
        known = self._generation.declared.get(provider, task)
        others = (c for c in self._desk.catalog.find(name=task) if c.provider not in (provider, self.name))
        return Room(known.queue_limit if known else None, tuple(f"{c.provider}/{c.name}" for c in others))

    def _slot_freed(self) -> None:
        if self._queue is not None:
            self._queue.wake()

    def _move(self, state: EnsembleState, detail: str | None = None) -> None:
        self.state = state
        self._desk.moved(self.name, state, detail)
