"""An ensemble in a process of its own, as its runner hosts it: asked over a line, and started again when it ends.

A version with other code is another process beside this one, so that code which ends its process while it is loaded
ends nothing else. What needs no other code is changed in place.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping

from runner.beat import Vitals
from runner.endings import ended
from runner.errors import EnsembleNetworkError
from runner.functions.loading import ModuleSpace
from runner.host.hosted import AnyVersion
from runner.host.process import calls
from runner.host.process.child import Child
from runner.host.process.handover import packed, seen_by
from runner.host.process.keeping import Keeping
from runner.host.process.last_look import LOOK_SECONDS, LastLook
from runner.host.process.lifecycle import Lifecycle
from runner.host.process.line import LineLost
from runner.host.process.room import SILENT_SECONDS, STEP_SECONDS, Ended, Room, Unanswered
from runner.host.process.surroundings import ProcessVersion, Surroundings
from runner.host.users import LONGEST_DEADLINE
from runner.host.version import Generation
from runner.model import PythonTarget
from runner.work import EnsembleState, Placement, Priority

SETTLED_SECONDS = 2.0
"""How long all others wait, while the server is told of a change, for a process that is busy."""

GRACE_SECONDS = 2.0
"""How long one that is not heard may take to stop, beyond its time to finish what it has in hand."""


class ProcessEnsemble:
    """Implements `runner.host.hosted.Hosted`. Once it was READY it is kept so until `leave` or `stop`."""

    placement = Placement.PROCESS

    def __init__(self, generation: Generation, name: str, around: Surroundings, *, modules: ModuleSpace) -> None:
        self.name = name
        self.runner = around.runner
        self.modules = modules
        self._around = around
        self._version = ProcessVersion(generation, generation.network.ensembles[name], modules)
        log = logging.getLogger(f"runner.ensemble.{name}")
        self._life = Lifecycle(name, around.runner, around.desk, log)
        self._room = Room(name, around, lambda: self._version, self._life.said)
        self._look = LastLook()
        self._keeping = Keeping(self._room, around, self._life, self._look, self._admitted)
        self._extended: Child | None = None

    # how it is

    @property
    def state(self) -> EnsembleState:
        return self._life.state

    @property
    def detail(self) -> str | None:
        return self._life.detail

    @detail.setter
    def detail(self, detail: str | None) -> None:
        self._life.detail = detail

    @property
    def retired(self) -> bool:
        return self._life.retired

    @property
    def version(self) -> AnyVersion | None:
        return self._version

    @property
    def is_kept(self) -> bool:
        return self._keeping.has_begun and not self._life.ending

    @property
    def client(self) -> int | None:
        return self._look.client

    @property
    def in_flight(self) -> int:
        return len(self._room.grip) if self._room.grip is not None else 0

    @property
    def pid(self) -> int | None:
        return self._room.child.pid if self._room.child is not None and not self._room.child.ended.done() else None

    @property
    def vitals(self) -> Vitals:
        slots = self._version.ensemble.capacity.max_concurrent
        told = self._look.vitals or Vitals(ensemble=self.name, state=self.state, slots=slots)
        is_ill = self.state is EnsembleState.READY and told.state is EnsembleState.DEGRADED
        state, detail = (told.state, told.detail) if is_ill else (self.state, self.detail)
        return told.model_copy(update={"ensemble": self.name, "state": state, "detail": detail, "pid": self.pid})

    async def look(self) -> None:
        """Where the process does not answer in time, it stays as it was at the last look."""
        if self.state is not EnsembleState.STARTING:
            await self._look.renew(self._room.line)

    def in_hand(self) -> Mapping[Priority, int]:
        return self._look.in_hand()

    def messages(self, caller: str, request_id: str) -> tuple[int, ...]:
        return self._look.messages(caller, request_id)

    def holds(self, caller: str, request_id: str) -> bool:
        return self._look.holds(caller, request_id)

    async def open_calls(self, addresses: frozenset[str]) -> frozenset[str]:
        if self._room.line is None or not self._room.line.is_open:
            return frozenset()
        try:
            return await self._room.line.ask(calls.OPEN_CALLS, addresses, seconds=LOOK_SECONDS)
        except LineLost:
            return frozenset()

    def cancel(self, caller: str, request_id: str) -> bool:
        """The process hears of it in any case."""
        if self._room.line is not None:
            self._room.line.tell(calls.CANCEL, caller, request_id)
        return self._look.calls(caller, request_id) or self._look.holds(caller, request_id)

    # coming up

    def renew(self, generation: Generation) -> None:
        self._version = self.version_in(generation, self.modules)

    def load_code(self) -> None:
        """Code is loaded by the process."""

    def prepare(self) -> None:
        self._life.held = True

    def admit(self) -> None:
        self._life.held = False
        if self._room.line is not None:
            self._room.line.tell(calls.ADMIT)
        if self.is_kept and self._room.is_open:
            self._life.state = EnsembleState.READY  # whoever looks at it before the process says so is not to be misled

    async def start(self, urls: tuple[str, ...], credentials: str | None) -> None:
        self._life.move(EnsembleState.STARTING)
        await self.open(urls, credentials)
        await self.serve()

    async def open(self, urls: tuple[str, ...], credentials: str | None) -> None:
        self._room.reach = (urls, credentials)
        await self._room.bring_up(held=self._life.held)

    async def serve(self) -> None:
        if self._room.child is None or self._room.child.ended.done():
            await self._room.bring_up(held=self._life.held)
        await self._room.asked(calls.SERVE)
        assert self._room.child is not None
        self._keeping.begin(self._room.child)

    async def _admitted(self) -> None:
        self.admit()
        await self.register()

    # a change

    def is_as(self, targets: Iterable[PythonTarget], read: Callable[[str], bytes]) -> bool:
        return self._room.child is not None and self._room.child.sources.is_as(targets, read)

    def version_in(self, generation: Generation, modules: ModuleSpace) -> ProcessVersion:
        return ProcessVersion(generation, generation.network.ensembles[self.name], modules)

    async def extend(self, version: AnyVersion) -> None:
        assert isinstance(version, ProcessVersion)
        version.capabilities = self._version.capabilities
        self._extended, child = None, self._room.child
        if self.state is not EnsembleState.READY:  # the process that comes up next begins with it
            return
        seen = packed(seen_by(self.name, version.generation))
        with contextlib.suppress(Unanswered, Ended):  # nobody waits for one that hangs or dies: the next begins so
            version.capabilities = await self._room.soon(calls.EXTEND, seen)
            self._extended = child

    async def pause(self) -> None:
        if self._extended is not None and not await self._room.quietly(calls.PAUSE):
            self._extended = None

    def switch(self, version: AnyVersion) -> None:
        assert isinstance(version, ProcessVersion)
        before, self._version, child = self._version, version, self._room.child
        extended, self._extended = self._extended, None
        is_same = before.ensemble == version.ensemble
        if is_same:
            version.capabilities = before.capabilities
        if child is None:
            return
        if extended is child:
            child.line.tell(calls.SWITCH)
        elif is_same and not child.line.is_full:
            child.line.tell(calls.SWITCH, body=packed(seen_by(self.name, version.generation)))
        else:  # it came up in between with what was before, or does not answer
            child.kill()

    async def switched(self) -> None:
        """It works by what it was told, and has seen what it was told of others; or it does not answer."""
        await self._room.quietly(calls.SETTLED, seconds=SETTLED_SECONDS)

    async def register(self) -> None:
        self._life.retired = False
        await self._room.quietly(calls.OFFER)

    async def contract(self) -> None:
        await self._room.quietly(calls.CONTRACT)

    async def retire(self, *, still_asked: bool) -> None:
        self._life.retired = True
        await self._room.quietly(calls.RETIRE, still_asked)

    async def settled(self) -> None:
        """One that hangs is not waited for: it hears of the reload before it does anything else."""
        self.told_of_reload()
        await self._room.quietly(calls.SETTLED, seconds=SETTLED_SECONDS)

    def told_of_reload(self) -> None:
        if self._room.line is not None:
            self._room.line.tell(calls.RELOADS, self._around.desk.reloads)

    @property
    def leaving(self) -> tuple[str, ...]:
        return self._look.leaving

    async def begun(self) -> None:
        await self._room.quietly(calls.BEGUN, seconds=LONGEST_DEADLINE.total_seconds(), patient=True)
        await self.look()

    # going

    async def leave(self) -> None:
        self._life.ending = self._life.succeeded = True
        if self.state is not EnsembleState.READY:  # it is coming up again, by what was before
            await self._keeping.close()
            if self._room.child is not None:
                self._room.child.kill()
            return
        has_left = await self._room.quietly(calls.LEAVE, unheard=SILENT_SECONDS)  # what it has in hand ends with it
        if not has_left and self._room.is_missed and self._room.child is not None:
            self._room.child.kill()  # it would go on being sent what the other is there for

    async def stop(self, drain_seconds: float) -> None:
        if self.state is EnsembleState.STOPPED:
            return
        self._life.ending = True
        child, detail = self._room.child, None
        if child is not None and not child.ended.done():
            try:
                detail = await self._stopped(child, drain_seconds)
            except (TimeoutError, ConnectionError, RuntimeError, EnsembleNetworkError):
                detail = "its process did not stop in time and was killed"
                child.kill()
            await child.gone()
        await self._keeping.close()
        if child is not None:
            self._around.outlooks.end(child.line)
            if self._room.grip is not None:
                await self._room.grip.release("its runner's leave", stopping=not self._life.succeeded)
        await self._life.gone()
        self._look.forget()
        self._life.move(EnsembleState.STOPPED, detail)

    async def _stopped(self, child: Child, drain_seconds: float) -> str | None:
        """What it says of its stop. Raises TimeoutError, soon where it is not heard once its time to finish is up."""
        stop = child.line.ask(calls.STOP, drain_seconds, seconds=self._patience(drain_seconds))
        asking = asyncio.ensure_future(stop)
        try:
            await asyncio.wait((asking,), timeout=drain_seconds + GRACE_SECONDS)
            if not asking.done() and self._room.unheard > GRACE_SECONDS:
                raise TimeoutError
            return await asking
        finally:
            await ended(asking)

    def _patience(self, drain_seconds: float) -> float:
        """How long it may take to stop. One that is silent has at most its work to finish."""
        if self._room.is_silent:
            return drain_seconds if self.in_flight else 0.0
        return drain_seconds + STEP_SECONDS
