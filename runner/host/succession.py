"""An ensemble whose place another has taken: the new one serves, those before it finish what they have in hand."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from runner.beat import Vitals
from runner.functions.loading import ModuleSpace
from runner.host.hosted import AnyVersion, Hosted
from runner.host.version import Generation
from runner.model import PythonTarget
from runner.work import EnsembleState, Placement, Priority


class Succession:
    """Implements `runner.host.hosted.Hosted`: `now` is what it is, and `before` counts for what is in hand.

    After `contract` or `stop` nobody is leaving any more.
    """

    def __init__(self, now: Hosted, before: Hosted) -> None:
        self.now = now
        self.before: tuple[Hosted, ...] = before.all if isinstance(before, Succession) else (before,)

    @property
    def all(self) -> tuple[Hosted, ...]:
        return (self.now, *self.before)

    @property
    def name(self) -> str:
        return self.now.name

    @property
    def runner(self) -> str:
        return self.now.runner

    @property
    def modules(self) -> ModuleSpace:
        return self.now.modules

    @modules.setter
    def modules(self, modules: ModuleSpace) -> None:
        self.now.modules = modules

    @property
    def detail(self) -> str | None:
        return self.now.detail

    @detail.setter
    def detail(self, detail: str | None) -> None:
        self.now.detail = detail

    @property
    def state(self) -> EnsembleState:
        return self.now.state

    @property
    def is_kept(self) -> bool:
        return self.now.is_kept

    @property
    def placement(self) -> Placement:
        return self.now.placement

    @property
    def retired(self) -> bool:
        return self.now.retired

    @property
    def version(self) -> AnyVersion | None:
        return self.now.version

    @property
    def client(self) -> int | None:
        return self.now.client

    @property
    def in_flight(self) -> int:
        return sum(one.in_flight for one in self.all)

    @property
    def vitals(self) -> Vitals:
        told, before = self.now.vitals, [one.vitals for one in self.before]
        in_flight = told.in_flight + sum(vitals.in_flight for vitals in before)
        load = round(in_flight / max(1, told.slots), 3)  # one that is held has none yet
        return told.model_copy(update={"in_flight": in_flight, "in_hand": dict(self.in_hand()), "load": load})

    async def look(self) -> None:
        await asyncio.gather(*(one.look() for one in self.all))

    def in_hand(self) -> Mapping[Priority, int]:
        return sum((Counter(one.in_hand()) for one in self.all), Counter[Priority]())

    def messages(self, caller: str, request_id: str) -> tuple[int, ...]:
        return tuple(message for one in self.all for message in one.messages(caller, request_id))

    def holds(self, caller: str, request_id: str) -> bool:
        return any(one.holds(caller, request_id) for one in self.all)

    def cancel(self, caller: str, request_id: str) -> bool:
        cancelled = [one.cancel(caller, request_id) for one in self.all]
        return any(cancelled)

    def renew(self, generation: Generation) -> None:
        self.now.renew(generation)

    def load_code(self) -> None:
        self.now.load_code()

    def prepare(self) -> None:
        self.now.prepare()

    def admit(self) -> None:
        self.now.admit()

    async def start(self, urls: tuple[str, ...], credentials: str | None) -> None:
        await self.now.start(urls, credentials)

    async def open(self, urls: tuple[str, ...], credentials: str | None) -> None:
        await self.now.open(urls, credentials)

    async def serve(self) -> None:
        await self.now.serve()

    def is_as(self, targets: Iterable[PythonTarget], read: Callable[[str], bytes]) -> bool:
        return self.now.is_as(targets, read)

    def version_in(self, generation: Generation, modules: ModuleSpace) -> AnyVersion:
        return self.now.version_in(generation, modules)

    async def extend(self, version: AnyVersion) -> None:
        await self.now.extend(version)

    async def pause(self) -> None:
        await self.now.pause()

    def switch(self, version: AnyVersion) -> None:
        self.now.switch(version)

    async def switched(self) -> None:
        await self.now.switched()

    async def register(self) -> None:
        await self.now.register()

    async def contract(self) -> None:
        before, self.before = self.before, ()
        await asyncio.gather(self.now.contract(), *(one.stop(0.0) for one in before))

    async def retire(self, *, still_asked: bool) -> None:
        await self.now.retire(still_asked=still_asked)

    async def settled(self) -> None:
        await asyncio.gather(*(one.settled() for one in self.all))

    def told_of_reload(self) -> None:
        for one in self.all:
            one.told_of_reload()

    @property
    def leaving(self) -> tuple[str, ...]:
        return self.now.leaving

    async def begun(self) -> None:
        await asyncio.gather(*(one.begun() for one in self.all))

    async def leave(self) -> None:
        await self.now.leave()

    async def stop(self, drain_seconds: float) -> None:
        await asyncio.gather(*(one.stop(drain_seconds) for one in self.all))
        self.before = ()
