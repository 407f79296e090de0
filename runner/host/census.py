"""How the network is: its ensembles, capabilities and requests, counted when somebody asks."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable

from runner.beat import Beat, RefusedSave
from runner.bus.shared import Shared
from runner.capability import versioned
from runner.host.entries import entry
from runner.host.foundation import Foundation
from runner.host.hosted import Hosted
from runner.host.liveness import BEAT_SECONDS
from runner.offer import Offer
from runner.plan.observed import Running
from runner.reports import (
    CatalogEntry,
    CatalogRequest,
    EnsembleReport,
    Page,
    QueuedReport,
    ReloadReport,
    RunnerReport,
    StatusReport,
)
from runner.work import EnsembleState, Priority

_log = logging.getLogger("runner.host")


ACQUAINTED_SECONDS = 1.5 * BEAT_SECONDS
"""How long the beats of runners are waited for of which only the registrations tell: this runner has just joined."""


REST_SECONDS = 0.25
"""At most so long between two counts: of a thousand ensembles one is thousands of questions to the server."""


class Census:
    """Counts for the whole network, from the beats of its live runners; `own` tells this one's, as of now."""

    def __init__(
        self,
        ground: Foundation,
        hosted: dict[str, Hosted],
        *,
        own: Callable[[], Beat],
    ) -> None:
        self._in_force = ground.in_force
        self._registry = ground.registry
        self._backlog = ground.backlog
        self._results = ground.results
        self._hosted = hosted
        self._pulse = ground.pulse
        self._leadership = ground.leadership
        self._own = own
        self._counted = Shared(self._count, rest_seconds=REST_SECONDS)
        self.refused: RefusedSave | None = None
        """The last change that was saved here, where it is not in force."""

    def queues(self) -> tuple[str, ...]:
        """Wherever a task may wait, in order."""
        return self._in_force.all_queues()

    async def status(self) -> StatusReport:
        """As of now, or later: whoever asks while others do shares their count."""
        return await self._counted.read()

    async def _count(self) -> StatusReport:
        looks = (hosted.look() for hosted in self._hosted.values())
        await asyncio.gather(self._pulse.until_acquainted(ACQUAINTED_SECONDS), *looks)
        beats, generation = self._beats(), self._in_force.generation
        furthest = max((beat.generation or 0 for beat in beats), default=0)
        there = generation.network.ensembles
        gone = {*self._in_force.left_queues(), *(name for beat in beats for name in beat.by_ensemble)} - there.keys()
        found = await asyncio.gather(*(self._ensemble(name, beats) for name in sorted({*there, *gone})))
        ensembles = [one for one in found if not one.removed or one.held or one.in_flight]
        return StatusReport(
            network=generation.network.name,
            generation=furthest,
            runners=tuple(_runner(beat, leader=self._leadership.leader) for beat in beats),
            ensembles=tuple(ensembles),
            last_reload=_last_reload(beats, furthest),
            leader_epoch=self._leadership.epoch,
            discovery_away=self._registry.away,
        )

    async def tell(self) -> None:
        """Other runners know what was refused here, or is not any more, when this returns."""
        await self._pulse.say()

    async def load(self, name: str) -> Running:
        """What an ensemble has to do, on all runners."""
        if (here := self._hosted.get(name)) is not None:
            await here.look()
        report = await self._ensemble(name, self._beats())
        return Running(report.in_flight, sum(amount for _, amount in report.queued))

    def catalog(self, wanted: CatalogRequest) -> tuple[CatalogEntry, ...]:
        """A page of those that the file declares and somebody asks for, with the state of their provider, and what that
        tells. It costs what is on the page: of a large network there are hundreds.
        """
        live, beats = self._registry.catalog, self._beats()
        promised = self._in_force.generation.declared
        found = promised.find(
            name=wanted.name, tags=wanted.tags, any_tags=wanted.any_tags, type=wanted.type, domain=wanted.domain
        )
        loads = _loads(beats)
        return tuple(
            entry(
                Offer(capability, self._registry.condition(declared.provider)),
                declared,
                promised.aliases,
                status=self._state(declared.provider, beats),
                load=loads.get(declared.provider, 0.0),
            )
            for declared in Page.of(found, wanted).entries
            for capability in (live.get(declared.provider, declared.name) or versioned(declared),)
        )

    def state(self, name: str) -> EnsembleState:
        """How an ensemble is, as `status` tells it."""
        return self._state(name, self._beats())

    def _beats(self) -> tuple[Beat, ...]:
        """Of every live runner in order of id, this one's fresh."""
        own = self._own()
        return tuple(beat for _, beat in sorted({**self._pulse.beats, own.runner: own}.items()))

    async def _ensemble(self, name: str, beats: tuple[Beat, ...]) -> EnsembleReport:
        replicas = [vitals for beat in beats if (vitals := beat.by_ensemble.get(name))]
        queued = QueuedReport()
        if name in self.queues():
            depths = await self._backlog.depths(name)
            taken = sum((Counter(vitals.in_hand) for vitals in replicas), Counter[Priority]())
            queued = QueuedReport(**{p.lower(): max(0, depths[p] - taken[p]) for p in Priority})
        registrations = self._registry.of(name)
        ready = sum(r.state is EnsembleState.READY for r in registrations)
        offered = {c.name for registration in registrations for c in registration.capabilities}
        return EnsembleReport(
            name=name,
            state=self._state(name, beats),
            replicas=ready,
            in_flight=sum(vitals.in_flight for vitals in replicas),
            queued=queued,
            held=0 if ready else sum(amount for _, amount in queued),
            removed=name not in self._in_force.network.ensembles,
            capabilities=tuple(sorted(offered)),
            pids=tuple(vitals.pid for vitals in replicas if vitals.pid is not None),
            detail="; ".join(sorted({vitals.detail for vitals in replicas if vitals.detail})) or None,
        )

    def _state(self, name: str, beats: tuple[Beat, ...]) -> EnsembleState:
        """READY where any replica is; else what this runner knows of it, or what another says."""
        states = {registration.state for registration in self._registry.of(name)}
        if EnsembleState.READY in states:
            return EnsembleState.READY
        if EnsembleState.DEGRADED in states:
            return EnsembleState.DEGRADED
        if EnsembleState.DRAINING in states:
            return EnsembleState.DRAINING
        if name in self._hosted:
            return self._hosted[name].state
        said = (vitals.state for beat in beats if (vitals := beat.by_ensemble.get(name)))
        nobody = EnsembleState.GONE if self._registry.is_gone(name) else EnsembleState.STOPPED
        return next(said, next(iter(states), nobody))


def _last_reload(beats: Iterable[Beat], generation: int) -> ReloadReport:
    """Whoever refused it. What was refused before the present generation is told no more."""
    refused = [beat.refused for beat in beats if beat.refused is not None and beat.refused.generation == generation]
    if not refused:
        return ReloadReport(ok=True, generation=generation)
    last = max(refused, key=lambda one: one.at)
    return ReloadReport(ok=False, generation=generation, diagnostics=last.diagnostics)


def _runner(beat: Beat, *, leader: str | None) -> RunnerReport:
    return RunnerReport(
        id=beat.runner,
        pid=beat.pid,
        started_at=beat.started_at,
        url=beat.url,
        ensembles=tuple(sorted(beat.by_ensemble)),
        host=beat.host,
        leads=beat.runner == leader,
        generation=beat.generation,
    )


def _loads(beats: tuple[Beat, ...]) -> dict[str, float]:
    """Work in hand over slots, of each ensemble on all its runners."""
    hands, slots = Counter[str](), Counter[str]()
    for beat in beats:
        for vitals in beat.ensembles:
            hands[vitals.ensemble] += vitals.in_flight
            slots[vitals.ensemble] += vitals.slots
    return {name: round(hands[name] / count, 3) for name, count in slots.items() if count}
