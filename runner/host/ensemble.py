"""One running ensemble: STARTING → READY → DRAINING → STOPPED."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from functools import cached_property

from runner import __version__
from runner.beat import Vitals
from runner.bus.away import AWAY
from runner.bus.caller import Caller
from runner.bus.connection import Connection, connect, settled
from runner.bus.events import Events
from runner.bus.failures import Room
from runner.bus.payloads import Payloads
from runner.bus.service import ToolService
from runner.catalog import Catalog
from runner.errors import ServerFailed
from runner.functions.calling import UserFunction, prepare
from runner.functions.loading import ModuleSpace
from runner.functions.threads import DaemonThreads
from runner.host.crew import Crew
from runner.host.desk import Desk
from runner.host.slots import Slots
from runner.host.task_queue import TaskQueue
from runner.host.tool_calls import ToolCalls
from runner.host.workplace import Workplace
from runner.model import Ensemble, Network, PythonStep, PythonTarget
from runner.subjects import Subjects
from runner.work import CapabilityInfo, CapabilityType, EnsembleState, Priority, Registration

STEP_SECONDS = 5.0
"""How long one step of stopping may take beside the draining itself."""

MAX_THREADS = 1024
"""Plain functions run in threads; one that waits for another ensemble keeps its thread, though not its slot."""


class HostedEnsemble:
    """Hosts one ensemble on one runner. `start` and `stop` once each, in this order."""

    def __init__(
        self,
        network: Network,
        ensemble: Ensemble,
        desk: Desk,
        *,
        declared: Catalog,
        wired_callers: Mapping[tuple[str, str], frozenset[str]],
        modules: ModuleSpace,
        runner: str,
    ) -> None:
        self.name = ensemble.name
        self.state = EnsembleState.STARTING
        self.detail: str | None = None
        self._network = network
        self._ensemble = ensemble
        self._desk = desk
        self._declared = declared
        self._wired_callers = wired_callers
        self._modules = modules
        self.runner = runner
        self._log = logging.getLogger(f"runner.ensemble.{self.name}")
        self._crew = Crew()
        self._executor = DaemonThreads(MAX_THREADS, ensemble.name)
        self._functions: dict[PythonTarget, UserFunction] = {}
        self._slots = Slots(ensemble.capacity.max_concurrent, self._slot_freed)
        self._connection: Connection | None = None
        self._caller: Caller | None = None
        self._events: Events | None = None
        self._service: ToolService | None = None
        self._calls: ToolCalls | None = None
        self._queue: TaskQueue | None = None

    @cached_property
    def capabilities(self) -> tuple[CapabilityInfo, ...]:
        """What it offers: as the file declares it, and where that says nothing, as its functions tell of themselves."""
        return tuple(self._described(c) for c in self._declared.capabilities if c.provider == self.name)

    def _described(self, capability: CapabilityInfo) -> CapabilityInfo:
        tool = self._ensemble.tools.get(capability.name)
        if tool is None:
            return capability
        function = self._functions[tool.python]
        told = {"description": tool.description or function.description, "input_schema": function.input_schema}
        return capability.model_copy(update=told)

    @property
    def takes_tasks(self) -> bool:
        return any(kind is CapabilityType.TASK for kind, _ in self._ensemble.shared().values())

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
        self._load_functions()
        subjects = Subjects(self._network.name)
        self._connection = await connect(
            urls, caller=self.name, credentials=credentials, on_reconnect=self._on_reconnect
        )
        payloads = Payloads.over(self._desk, self._network.defaults.max_payload, self._connection.max_payload)
        self._caller = Caller(self._connection, subjects, self.name, payloads, self._room)
        await self._caller.open()
        self._events = Events(self._connection, subjects)
        workplace = Workplace(
            network=self._network,
            ensemble=self._ensemble,
            subjects=subjects,
            connection=self._connection,
            caller=self._caller,
            events=self._events,
            desk=self._desk,
            payloads=payloads,
            slots=self._slots,
            functions=self._functions.__getitem__,
            declared=self._declared,
            wired_callers=self._wired_callers,
            runner=self.runner,
            log=self._log,
        )
        await self._serve(workplace)
        await settled(self._connection)
        await self._register(EnsembleState.READY)
        self._move(EnsembleState.READY)

    async def stop(self, drain_seconds: float) -> None:
        """Take nothing more, let what is in hand finish within the bound, and be gone. What is left stays queued."""
        if self.state in (EnsembleState.DRAINING, EnsembleState.STOPPED):
            return
        if self._queue is not None:
            self._queue.shut()  # whoever sees it DRAINING may count on it: nothing begins any more
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

    async def _serve(self, workplace: Workplace) -> None:
        tools = {c.name: c.description or c.name for c in self.capabilities if c.type is CapabilityType.TOOL}
        if tools:
            self._service = ToolService(workplace.connection, workplace.subjects, self.name, __version__)
            self._calls = ToolCalls(workplace, self._crew, self._service.counts)
            await self._service.open(tools, self._calls.handle, self._ensemble.description)
        if self.takes_tasks:
            self._queue = TaskQueue(workplace, self._crew)
            await self._queue.open()

    def _load_functions(self) -> None:
        tools = [tool.python for tool in self._ensemble.tools.values()]
        steps = [
            step.python for task in self._ensemble.tasks.values() for step in task.steps if isinstance(step, PythonStep)
        ]
        for target in dict.fromkeys(tools + steps):
            self._functions[target] = prepare(self._modules.load(target), self._executor, str(target))

    async def _register(self, state: EnsembleState) -> None:
        offered = self.capabilities if state is EnsembleState.READY else ()
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
        known = self._declared.get(provider, task)
        others = (c for c in self._desk.catalog.find(name=task) if c.provider not in (provider, self.name))
        return Room(known.queue_limit if known else None, tuple(f"{c.provider}/{c.name}" for c in others))

    def _slot_freed(self) -> None:
        if self._queue is not None:
            self._queue.wake()

    def _move(self, state: EnsembleState, detail: str | None = None) -> None:
        self.state = state
        self._desk.moved(self.name, state, detail)
