"""How the network is: its ensembles, capabilities and requests, counted when somebody asks."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable

from pydantic import ValidationError

from runner.beat import Beat
from runner.bus.records import Entry
from runner.catalog import Catalog
from runner.host.ensemble import HostedEnsemble
from runner.host.foundation import Foundation
from runner.model import Network
from runner.reports import (
    CatalogEntry,
    EnsembleReport,
    QueuedReport,
    ReloadReport,
    RequestReport,
    RunnerReport,
    StatusReport,
)
from runner.work import REQUEST_ID_PATTERN, CapabilityType, EnsembleState, Priority, Record

_log = logging.getLogger("runner.host")

GENERATION = 1
"""The number of the applied configuration: the first and, until there are reloads, the only one."""


class Census:
    """Counts for the whole network, from the beats of its live runners; `own` tells this one's, as of now."""

    def __init__(
        self,
        network: Network,
        declared: Catalog,
        ground: Foundation,
        hosted: dict[str, HostedEnsemble],
        *,
        own: Callable[[], Beat],
    ) -> None:
        self._network = network
        self._declared = declared
        self._registry = ground.registry
        self._backlog = ground.backlog
        self._results = ground.results
        self._hosted = hosted
        self._pulse = ground.pulse
        self._leadership = ground.leadership
        self._own = own

    def queues(self) -> tuple[str, ...]:
        """The ensembles that share tasks, in order."""
        return tuple(sorted({c.provider for c in self._declared.capabilities if c.type is CapabilityType.TASK}))

    async def status(self) -> StatusReport:
        beats = self._beats()
        ensembles = await asyncio.gather(*(self._ensemble(name, beats) for name in sorted(self._network.ensembles)))
        return StatusReport(
            network=self._network.name,
            generation=GENERATION,
            runners=tuple(_runner(beat, leader=self._leadership.leader) for beat in beats),
            ensembles=tuple(ensembles),
            last_reload=ReloadReport(ok=True, generation=GENERATION),
        )

    def catalog(self) -> tuple[CatalogEntry, ...]:
        """Every capability that the file declares, with the state of its provider, and what that tells of it."""
        live, beats = self._registry.catalog, self._beats()
        loads = _loads(beats)
        return tuple(
            CatalogEntry(
                name=capability.name,
                type=capability.type,
                provider=capability.provider,
                tags=capability.tags,
                authority=capability.authority,
                status=self._state(capability.provider, beats),
                load=loads.get(capability.provider, 0.0),
                description=capability.description,
                input_schema=capability.input_schema,
            )
            for declared in self._declared.capabilities
            for capability in (live.get(declared.provider, declared.name) or declared,)
        )

    async def requests(self) -> tuple[RequestReport, ...]:
        """Every task that is pending or whose outcome is kept, oldest submission first."""
        pending = [report async for report in self._pending()]  # first: what ends meanwhile is then among the done
        done = [report async for entry in self._results.entries() if (report := _ended(entry))]
        seen = {(report.caller, report.request_id) for report in done}
        pending = [report for report in pending if (report.caller, report.request_id) not in seen]
        return tuple(sorted(done + pending, key=lambda r: (r.submitted_at, r.caller, r.request_id)))

    async def callers(self, request_id: str) -> tuple[str, ...]:
        """Who used a request id, in order of name."""
        if not re.fullmatch(REQUEST_ID_PATTERN, request_id):
            return ()
        waiting = {report.caller async for report in self._pending() if report.request_id == request_id}
        done = {entry.key.rpartition(".")[0] async for entry in self._results.entries(f"*.{request_id}")}
        return tuple(sorted(done | waiting))

    async def _pending(self) -> AsyncIterator[RequestReport]:
        for name in self.queues():
            async for waiting in self._backlog.waiting(name):
                request, call = waiting.request, waiting.call
                running = name in self._hosted and self._hosted[name].holds(call.caller, request.request_id)
                yield RequestReport(
                    request_id=request.request_id,
                    task=request.task,
                    caller=call.caller,
                    provider=call.provider,
                    status="PENDING",
                    state="RUNNING" if running else "QUEUED",
                    priority=call.priority,
                    submitted_at=request.submitted_at,
                    attempts=1 if running else 0,
                    trace_id=request.trace_context.trace_id,
                )

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
        offered = {c.name for registration in registrations for c in registration.capabilities}
        return EnsembleReport(
            name=name,
            state=self._state(name, beats),
            replicas=sum(r.state is EnsembleState.READY for r in registrations),
            in_flight=sum(vitals.in_flight for vitals in replicas),
            queued=queued,
            capabilities=tuple(sorted(offered)),
        )

    def _state(self, name: str, beats: tuple[Beat, ...]) -> EnsembleState:
        """READY where any replica is; else what this runner knows of it, or what another says."""
        states = {registration.state for registration in self._registry.of(name)}
        if EnsembleState.READY in states:
            return EnsembleState.READY
        if name in self._hosted:
            return self._hosted[name].state
        said = (vitals.state for beat in beats if (vitals := beat.by_ensemble.get(name)))
        return next(said, next(iter(states), EnsembleState.STOPPED))


def _runner(beat: Beat, *, leader: str | None) -> RunnerReport:
    return RunnerReport(
        id=beat.runner,
        pid=beat.pid,
        started_at=beat.started_at,
        url=beat.url,
        ensembles=tuple(sorted(beat.by_ensemble)),
        host=beat.host,
        leads=beat.runner == leader,
    )


def _loads(beats: tuple[Beat, ...]) -> dict[str, float]:
    """Work in hand over slots, of each ensemble on all its runners."""
    hands, slots = Counter[str](), Counter[str]()
    for beat in beats:
        for vitals in beat.ensembles:
            hands[vitals.ensemble] += vitals.in_flight
            slots[vitals.ensemble] += vitals.slots
    return {name: round(hands[name] / count, 3) for name, count in slots.items() if count}


def _ended(entry: Entry) -> RequestReport | None:
    """What a record tells; None for one that cannot be read, or that holds no outcome."""
    try:
        record = Record.model_validate_json(entry.value)
    except ValidationError:
        _log.warning("the record %s cannot be read", entry.key)
        return None
    if (response := record.response) is None:
        return None
    return RequestReport(
        request_id=response.request_id,
        task=record.task,
        caller=record.caller,
        provider=record.provider,
        status=response.status,
        priority=record.priority,
        submitted_at=record.submitted_at,
        duration_ms=response.duration_ms,
        attempts=record.attempts,
        trace_id=record.trace_id,
    )
