"""How the network is: its ensembles, capabilities and requests, counted when somebody asks."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from pydantic import ValidationError

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
    """Counts for one runner; `hosted` are its ensembles."""

    def __init__(
        self,
        network: Network,
        declared: Catalog,
        ground: Foundation,
        hosted: dict[str, HostedEnsemble],
        *,
        runner: str,
        url: str,
    ) -> None:
        self._network = network
        self._declared = declared
        self._registry = ground.registry
        self._backlog = ground.backlog
        self._results = ground.results
        self._hosted = hosted
        self._runner = RunnerReport(
            id=runner, pid=os.getpid(), started_at=datetime.now(UTC), url=url, ensembles=tuple(sorted(hosted))
        )

    def queues(self) -> tuple[str, ...]:
        """The ensembles that share tasks, in order."""
        return tuple(sorted({c.provider for c in self._declared.capabilities if c.type is CapabilityType.TASK}))

    async def status(self) -> StatusReport:
        ensembles = await asyncio.gather(*(self._ensemble(name) for name in sorted(self._network.ensembles)))
        return StatusReport(
            network=self._network.name,
            generation=GENERATION,
            runners=(self._runner.model_copy(update={"ensembles": tuple(sorted(self._hosted))}),),
            ensembles=tuple(ensembles),
            last_reload=ReloadReport(ok=True, generation=GENERATION),
        )

    def catalog(self) -> tuple[CatalogEntry, ...]:
        """Every capability that the file declares, with the state of its provider, and what that tells of it."""
        live = self._registry.catalog
        return tuple(
            CatalogEntry(
                name=capability.name,
                type=capability.type,
                provider=capability.provider,
                tags=capability.tags,
                authority=capability.authority,
                status=self._state(capability.provider),
                load=self._hosted[capability.provider].load if capability.provider in self._hosted else 0.0,
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

    async def _ensemble(self, name: str) -> EnsembleReport:
        hosted = self._hosted.get(name)
        queued = QueuedReport()
        if name in self.queues():
            depths = await self._backlog.depths(name)
            taken = hosted.in_hand() if hosted else {}
            queued = QueuedReport(
                **{priority.lower(): max(0, depths[priority] - taken.get(priority, 0)) for priority in Priority}
            )
        registrations = self._registry.of(name)
        offered = {c.name for registration in registrations for c in registration.capabilities}
        return EnsembleReport(
            name=name,
            state=self._state(name),
            replicas=sum(r.state is EnsembleState.READY for r in registrations),
            in_flight=hosted.in_flight if hosted else 0,
            queued=queued,
            capabilities=tuple(sorted(offered)),
        )

    def _state(self, name: str) -> EnsembleState:
        """READY where any replica is; else what this runner knows of it."""
        states = {registration.state for registration in self._registry.of(name)}
        if EnsembleState.READY in states:
            return EnsembleState.READY
        if name in self._hosted:
            return self._hosted[name].state
        return next(iter(states), EnsembleState.STOPPED)


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
