"""One running ensemble: STARTING → READY → DRAINING → STOPPED."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping

from runner.beat import Vitals
from runner.bus.failures import Room
from runner.functions.loading import ModuleSpace
from runner.functions.threads import DaemonThreads
from runner.host.crew import Crew
from runner.host.desk import Desk
from runner.host.health import Ailment, HealthCheck
from runner.host.hosted import AnyVersion, AtHome, Hand
from runner.host.link import Link
from runner.host.probes import tried
from runner.host.quietly import quietly
from runner.host.resolving import Resolving
from runner.host.service_times import ServiceTimes
from runner.host.serving import Serving
from runner.host.slots import Slots
from runner.host.version import Generation, Version, version_of
from runner.host.workplace import Station
from runner.model import PythonTarget
from runner.registration import Registration
from runner.subjects import Subjects
from runner.work import EnsembleState, Priority

MAX_THREADS = 1024
"""Plain functions run in threads; one that waits for another ensemble keeps its thread, though not its slot."""


class HostedEnsemble(AtHome):
    """Hosts one ensemble in this very process. `start` and `stop` once each, in this order, and changes in between.

    Implements `runner.host.hosted.Hosted`, which says what each step does. A change is `version_in`, `extend`,
    `switch`, and `contract` once the work that began before has ended. Before `switch` it may be given up by that.
    """

    def __init__(self, generation: Generation, name: str, desk: Desk, *, modules: ModuleSpace, runner: str) -> None:
        self.name = name
        self.runner = runner
        self.state = EnsembleState.STARTING
        self.detail: str | None = None
        self._generation = generation
        self.modules = modules
        self._desk = desk
        self._log = logging.getLogger(f"runner.ensemble.{name}")
        self._crew = Crew()
        self._executor = DaemonThreads(MAX_THREADS, name)
        self._slots = Slots(generation.network.ensembles[name].capacity.max_concurrent, self._slot_freed)
        self._times = ServiceTimes()
        self._ailment = Ailment()
        self._probing = DaemonThreads(1, f"{name}-health")  # a probe that hangs takes no thread from the work
        self._health = HealthCheck(self._ailment, lambda one: tried(one, self._serving, self._probing), self._ailing)
        self._link = Link(name, desk, self._log, self._room, self._reconnected)
        self._serving: Serving | None = None
        self._prepared: Version | None = None
        self.retired = False
        """Whether the network has it no more, and it serves those who still know it."""
        self._held = False
        self._succeeded = False

    @property
    def is_kept(self) -> bool:
        return self.state is EnsembleState.READY

    @property
    def in_flight(self) -> int:
        """How many slots are taken, plus how many requests wait for somebody else: all pieces of work in hand."""
        return len(self._crew)

    @property
    def resolving(self) -> Resolving | None:
        """How its uses are resolved; None where it is not up."""
        return self._serving.workplace.resolving if self._serving is not None else None

    @property
    def client(self) -> int | None:
        return self._link.client

    @property
    def vitals(self) -> Vitals:
        """How it is now, for the runner's beat and for who asks."""
        if self._serving is None:
            return Vitals(ensemble=self.name, state=self.state, slots=self._slots.count, detail=self.detail)
        return self._serving.vitals(self.state, self.detail)

    async def start(self, urls: tuple[str, ...], credentials: str | None) -> None:
        self._move(EnsembleState.STARTING)
        await self.open(urls, credentials)
        await self.serve()

    async def open(self, urls: tuple[str, ...], credentials: str | None) -> None:
        version = self._prepared or self.version_in(self._generation, self.modules)
        subjects, link = Subjects(version.network.name), self._link
        await link.open(urls, credentials, subjects, version.network.defaults.max_payload)
        station = Station(
            name=self.name,
            subjects=subjects,
            connection=link.connection,
            caller=link.caller,
            events=link.events,
            desk=self._desk,
            slots=self._slots,
            times=self._times,
            ailment=self._ailment,
            runner=self.runner,
            log=self._log,
        )
        self._serving, self._prepared = Serving(station, version, self._crew), None

    async def serve(self) -> None:
        assert self._serving is not None
        await self._serving.extend(self._serving.workplace)
        await self._link.settled()
        if not self._held:
            await self._register(EnsembleState.READY)
            self._move(EnsembleState.READY)
            self._health.follow(self._serving.workplace.ensemble.health)

    def version_in(self, generation: Generation, modules: ModuleSpace) -> Version:
        """A version of this ensemble with its functions loaded; nothing changes yet. Raises StartFailed.

        Where it names the functions that it has, from the same modules, it keeps them.
        """
        now = self.version
        if now is not None and modules is self.modules:
            return now.in_generation(generation) or version_of(generation, self.name, modules, self._executor)
        return version_of(generation, self.name, modules, self._executor)

    def load_code(self) -> None:
        self._prepared = self._prepared or self.version_in(self._generation, self.modules)

    def prepare(self) -> None:
        """Load the code now. What comes before `admit` waits: its generation may not come. Raises StartFailed."""
        self.load_code()
        self._held = True
        self._slots.resize(0)

    def is_as(self, targets: Iterable[PythonTarget], read: Callable[[str], bytes]) -> bool:
        return self.modules.is_as(targets, read)

    def admit(self) -> None:
        version = self.version
        assert version is not None
        self._held = False
        if self._serving is not None:
            self._serving.workplace.resolving.begin()
        self._slots.resize(version.ensemble.capacity.max_concurrent)
        self._move(EnsembleState.READY)
        self._health.follow(version.ensemble.health)

    def renew(self, generation: Generation) -> None:
        self._generation = generation

    @property
    def leaving(self) -> tuple[str, ...]:
        return self._serving.leaving if self._serving is not None else ()

    @property
    def version(self) -> Version | None:
        return self._serving.workplace.version if self._serving is not None else self._prepared

    async def extend(self, version: AnyVersion) -> None:
        assert isinstance(version, Version)
        assert self._serving is not None
        await self._serving.extend(self._serving.at(version))

    def pause_intake(self) -> None:
        """What comes from now on waits for the next `switch`; what is in hand goes on."""
        if self._serving is not None:
            self._serving.pause()

    def switch(self, version: AnyVersion) -> None:
        assert isinstance(version, Version)
        assert self._serving is not None
        self._generation, self.modules = version.generation, version.modules
        self._serving.switch(self._serving.at(version))
        self._health.follow(version.ensemble.health)
        if self._slots.count != (count := version.ensemble.capacity.max_concurrent):
            self._slots.resize(count)

    async def register(self) -> None:
        self.retired = False
        if self.state is EnsembleState.READY:
            await self._register(EnsembleState.READY)

    async def contract(self) -> None:
        if self._serving is not None:
            await quietly(self._serving.contract(), self._log)

    async def retire(self, *, still_asked: bool) -> None:
        self.retired = True
        if self.state is not EnsembleState.READY:
            return
        if self._serving is not None:
            self._serving.workplace.resolving.supersede()
        if self._serving is not None and not still_asked:
            self._serving.hold()
        await quietly(self._register(EnsembleState.DRAINING), self._log)

    async def settled(self) -> None:
        if self._link.is_connected:
            await self._link.settled()

    async def begun(self) -> None:
        await self._crew.begun()

    async def leave(self) -> None:
        self._succeeded = True
        await self._health.close()
        if self._serving is not None:
            self._serving.workplace.resolving.supersede()
            self._serving.shut()
            await quietly(self._serving.stop_intake(), self._log)

    async def stop(self, drain_seconds: float) -> None:
        if self.state in (EnsembleState.DRAINING, EnsembleState.STOPPED):
            return
        await self._health.close()
        if self._serving is not None:
            self._serving.shut()  # whoever sees it DRAINING may count on it: nothing begins any more
        self._move(EnsembleState.DRAINING)
        await quietly(self._register(EnsembleState.DRAINING), self._log)
        if self._serving is not None and not self._succeeded:
            await quietly(self._serving.stop_intake(), self._log)
        culprits = await self._crew.finish(drain_seconds)
        if self._serving is not None:
            await self._serving.close()
        await quietly(self._register(EnsembleState.STOPPED), self._log)
        await self._link.close()
        self._executor.shutdown()
        self._probing.shutdown()
        self.detail = f"stopped waiting for {', '.join(culprits)}" if culprits else None
        self._move(EnsembleState.STOPPED, self.detail)

    def see_change(self) -> None:
        """Runners came or went: calls in the hands of those who are gone end."""
        self._link.see_change()

    def cancel(self, caller: str, request_id: str) -> bool:
        return self._serving is not None and self._serving.cancel(caller, request_id)

    def in_hand(self) -> Mapping[Priority, int]:
        return self._serving.in_hand() if self._serving is not None else {}

    def messages(self, caller: str, request_id: str) -> tuple[int, ...]:
        return self._serving.messages(caller, request_id) if self._serving is not None else ()

    def holds(self, caller: str, request_id: str) -> bool:
        return self._serving is not None and self._serving.holds(caller, request_id)

    def hands(self) -> tuple[Hand, ...]:
        return self._serving.hands() if self._serving is not None else ()

    async def open_calls(self, addresses: frozenset[str]) -> frozenset[str]:
        return await self._serving.open_calls(addresses) if self._serving is not None else frozenset()

    def calls(self) -> tuple[tuple[str, str], ...]:
        return self._serving.calls() if self._serving is not None else ()

    async def _register(self, state: EnsembleState) -> None:
        if self._succeeded:
            return
        version = self.version
        offered = version.capabilities if version is not None and state is EnsembleState.READY else ()
        await self._desk.register(
            Registration(
                ensemble=self.name,
                runner=self.runner,
                state=self._ailment.shown(state),
                capabilities=offered,
                detail=self._ailment.problem,
            )
        )

    async def _ailing(self) -> None:
        """It fell ill, or is well again. Raises where the server is away."""
        if self.state is EnsembleState.READY and self._serving is not None:
            # one that the network has no more is not to be found again for being well
            shown = EnsembleState.DRAINING if self.retired else EnsembleState.READY
            await self._serving.ail(lambda: self._register(shown))
            if not self.retired:
                self._desk.moved(self.name, self._ailment.shown(self.state), self._ailment.problem)

    def _reconnected(self) -> None:
        if self._serving is not None:
            self._serving.reconnected()

    def _room(self, provider: str, task: str) -> Room:
        known = self._generation.declared.get(provider, task)
        others = (c for c in self._desk.catalog.find(name=task) if c.provider not in (provider, self.name))
        return Room(known.queue_limit if known else None, tuple(f"{c.provider}/{c.name}" for c in others))

    def _slot_freed(self) -> None:
        if self._serving is not None:
            self._serving.wake()

    def _move(self, state: EnsembleState, detail: str | None = None) -> None:
        self.state = state
        # that it goes is told as part of the change
        if not self._succeeded and not (self.retired and state is EnsembleState.DRAINING):
            self._desk.moved(self.name, state, detail)
