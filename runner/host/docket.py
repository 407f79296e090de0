"""Every task the network knows of: those that wait or are worked on, those with an outcome, and the dead letters."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping

from pydantic import ValidationError

from runner.bus.backlog import Backlog, Waiting
from runner.bus.records import Bucket, Entry
from runner.bus.shared import Shared
from runner.dead_letter import DeadLetter
from runner.host.dead_letters import DeadLetters
from runner.host.hosted import Hosted
from runner.host.registry import Registry
from runner.reports import PAGE_ENTRIES, Page, PageRequest, RequestReport
from runner.subjects import record_key
from runner.work import REQUEST_ID_PATTERN, Code, EnsembleState, Record, Status

_log = logging.getLogger("runner.host")

REST_SECONDS = 1.0
"""At most so long between two readings of everything."""

KEPT_SECONDS = 10.0
"""How long whoever reads one page after the other may take, before everything is read again."""

DEAD, HELD, QUEUED, RUNNING = "DEAD", "HELD", "QUEUED", "RUNNING"
Records = Mapping[str, Record]


class Docket:
    """Reads for one runner; `queues` tells the ensembles that share tasks, `hosted` the ensembles here."""

    def __init__(
        self,
        queues: Callable[[], tuple[str, ...]],
        backlog: Backlog,
        results: Bucket,
        dead: DeadLetters,
        registry: Registry,
        hosted: Mapping[str, Hosted],
    ) -> None:
        self._queues = queues
        self._backlog = backlog
        self._results = results
        self._dead = dead
        self._registry = registry
        self._hosted = hosted
        self._everything = Shared(self._read, rest_seconds=REST_SECONDS)
        self._told: tuple[RequestReport, ...] | None = None

    async def requests(self, wanted: PageRequest) -> Page[RequestReport]:
        """Of every task that is pending, whose outcome is kept, or that is dead, oldest submission first.

        The first page begins with a reading of everything, and the others are of that.
        """
        reports = await self._everything.read() if self._told is None or not wanted.offset else self._told
        chosen = tuple(report for report in reports if wanted.state in (None, report.status, report.state))
        page = Page.of(chosen, wanted)
        if len(reports) > PAGE_ENTRIES:
            self._told = reports
            asyncio.get_running_loop().call_later(KEPT_SECONDS, self._forget, reports)
        return page

    def _forget(self, reports: tuple[RequestReport, ...]) -> None:
        if self._told is reports:
            self._told = None

    async def _read(self) -> tuple[RequestReport, ...]:
        await asyncio.gather(*(hosted.look() for hosted in self._hosted.values()))
        waiting = [found async for found in self._waiting()]  # first: what ends meanwhile is then among the done
        records = {entry.key: record async for entry in self._results.entries() if (record := _read(entry))}
        letters = {record_key(letter.caller, letter.request.request_id): letter async for letter in self._dead.all()}
        reports = {key: _lost(letter) for key, letter in letters.items()}
        for found in waiting:
            key = record_key(found.request.caller, found.request.request_id)
            reports[key] = self._pending(found, records.get(key))
        for key, record in records.items():
            if record.response is not None:
                reports[key] = _ended(record, is_dead=key in letters)
        return tuple(sorted(reports.values(), key=lambda r: (r.submitted_at, r.caller, r.request_id)))

    async def callers(self, request_id: str) -> tuple[str, ...]:
        """Who used a request id, in order of name."""
        if not re.fullmatch(REQUEST_ID_PATTERN, request_id):
            return ()
        waiting = set(await self._backlog.callers(self._queues(), request_id))  # first: as in `requests`
        done = {entry.key.rpartition(".")[0] async for entry in self._results.entries(f"*.{request_id}")}
        dead = {letter.caller for letter in await self._dead.of(request_id)}
        return tuple(sorted(done | waiting | dead))

    def state(self, provider: str, caller: str, request_id: str, record: Record | None) -> str:
        """How a pending task is: RUNNING, QUEUED, or HELD where no replica of its provider is up."""
        if self.is_running(provider, caller, request_id, record):
            return RUNNING
        up = any(one.state is EnsembleState.READY for one in self._registry.of(provider))
        return QUEUED if up else HELD

    def is_running(self, provider: str, caller: str, request_id: str, record: Record | None) -> bool:
        """Whether somebody works on a pending task: here, or as its start record says, on a runner that is there."""
        if provider in self._hosted and self._hosted[provider].holds(caller, request_id):
            return True
        history = record.history if record is not None and record.response is None else ()
        return bool(history) and history[-1].ended is None and history[-1].runner in self._elsewhere(provider)

    def _elsewhere(self, ensemble: str) -> frozenset[str]:
        """The other runners of an ensemble."""
        here = {hosted.runner for hosted in self._hosted.values()}
        return frozenset(registration.runner for registration in self._registry.of(ensemble)) - here

    async def _waiting(self) -> AsyncIterator[Waiting]:
        for name in self._queues():
            async for found in self._backlog.waiting(name):
                yield found

    def _pending(self, found: Waiting, record: Record | None) -> RequestReport:
        request, call = found.request, found.call
        state = self.state(call.provider, request.caller, request.request_id, record)
        recorded = record.attempts if record is not None else 0
        return RequestReport(
            request_id=request.request_id,
            task=request.task,
            caller=request.caller,
            provider=call.provider,
            status="PENDING",
            state=state,
            priority=call.priority,
            submitted_at=request.submitted_at,
            attempts=max(recorded, int(state == RUNNING)),
            history=record.history if record is not None else (),
            trace_id=request.trace_context.trace_id,
        )


def _read(entry: Entry) -> Record | None:
    try:
        return Record.model_validate_json(entry.value)
    except ValidationError:
        _log.warning("the record %s cannot be read", entry.key)
        return None


def _ended(record: Record, *, is_dead: bool) -> RequestReport:
    response = record.response
    assert response is not None
    died = is_dead and response.error is not None and response.error.code == Code.DEAD_LETTER
    return RequestReport(
        request_id=record.request_id,
        task=record.task,
        caller=record.caller,
        provider=record.provider,
        status=response.status,
        state=DEAD if died else None,
        priority=record.priority,
        submitted_at=record.submitted_at,
        duration_ms=response.duration_ms,
        attempts=record.attempts,
        history=record.history,
        trace_id=record.trace_id,
    )


def _lost(letter: DeadLetter) -> RequestReport:
    """A dead letter whose record is kept no longer."""
    request = letter.request
    return RequestReport(
        request_id=request.request_id,
        task=request.task,
        caller=letter.caller,
        provider=letter.provider,
        status=Status.FAILED,
        state=DEAD,
        priority=request.priority,
        submitted_at=request.submitted_at,
        attempts=letter.attempts,
        history=letter.history,
        trace_id=request.trace_context.trace_id,
    )
