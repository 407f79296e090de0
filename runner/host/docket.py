"""Every task the network knows of: those that wait or are worked on, those with an outcome, and the dead letters."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from pydantic import ValidationError

from runner.bus.backlog import Backlog, Waiting
from runner.bus.known import KnownKeys
from runner.bus.records import Bucket, Entry
from runner.dead_letter import DeadLetter
from runner.host.dead_letters import DeadLetters
from runner.host.hosted import Hosted
from runner.host.listing import Listing
from runner.host.registry import Registry
from runner.reports import Page, PageRequest, RequestReport
from runner.subjects import record_key
from runner.work import REQUEST_ID_PATTERN, Code, EnsembleState, Record, Status

_log = logging.getLogger("runner.host")

SIDE_BY_SIDE = 32
"""Of how many tasks the records are asked for at a time."""

DEAD, HELD, QUEUED, RUNNING = "DEAD", "HELD", "QUEUED", "RUNNING"
Records = Mapping[str, Record]


class Docket:
    """Reads for one runner; `queues` tells the ensembles that share tasks, `hosted` the ensembles here."""

    def __init__(
        self,
        queues: Callable[[], tuple[str, ...]],
        backlog: Backlog,
        results: Bucket,
        known: KnownKeys,
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
        self._known = known
        self._everything = Listing(self._all)
        self._pending = Listing(self._all_pending)
        self._letters = Listing(self._all_dead)

    async def requests(self, wanted: PageRequest) -> Page[RequestReport]:
        """Of every task that is pending, whose outcome is kept, or that is dead, oldest submission first.

        What is done is read only for whoever wants to know of it: there is most of that.
        """
        match wanted.state:
            case "PENDING" | "HELD" | "QUEUED" | "RUNNING":
                return await self._pending.page(wanted)
            case "DEAD":
                return await self._letters.page(wanted)
            case _:
                return await self._everything.page(wanted)

    async def _all(self) -> tuple[RequestReport, ...]:
        waiting = await self._all_waiting()  # first: what ends meanwhile is then among the done
        records = {entry.key: record async for entry in self._results.entries() if (record := _read(entry))}
        letters = {_key(letter): letter async for letter in self._dead.all()}
        reports = {key: _lost(letter) for key, letter in letters.items()}
        reports |= {key: self._report(found, records.get(key)) for key, found in waiting.items()}
        ended = {key: record for key, record in records.items() if record.response is not None}
        reports |= {key: _ended(record, is_dead=key in letters) for key, record in ended.items()}
        return tuple(reports.values())

    async def _all_pending(self) -> tuple[RequestReport, ...]:
        waiting = await self._all_waiting()
        records = await self._records(key for key in waiting if self._known.may_hold(key))
        ended = {key for key, record in records.items() if record.response is not None}
        return tuple(self._report(found, records.get(key)) for key, found in waiting.items() if key not in ended)

    async def _all_dead(self) -> tuple[RequestReport, ...]:
        letters = {_key(letter): letter async for letter in self._dead.all()}
        records = await self._records(letters)
        reports = []
        for key, letter in letters.items():
            record = records.get(key)
            if record is not None and record.response is not None:
                reports.append(_ended(record, is_dead=True))
            elif await self._backlog.find(self._queues(), letter.caller, letter.request.request_id) is None:
                reports.append(_lost(letter))
        return tuple(reports)

    async def _records(self, keys: Iterable[str]) -> dict[str, Record]:
        gate = asyncio.Semaphore(SIDE_BY_SIDE)

        async def read(key: str) -> Record | None:
            async with gate:
                entry = await self._results.get(key)
            return _read(entry) if entry is not None else None

        wanted = tuple(keys)
        found = await asyncio.gather(*map(read, wanted))
        return {key: record for key, record in zip(wanted, found, strict=True) if record is not None}

    async def callers(self, request_id: str) -> tuple[str, ...]:
        """Who used a request id, in order of name."""
        if not re.fullmatch(REQUEST_ID_PATTERN, request_id):
            return ()
        waiting = set(await self._backlog.callers(self._queues(), request_id))  # first: as in `_all`
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

    async def _all_waiting(self) -> dict[str, Waiting]:
        """By the key of its record; without what it is about, which may be long."""
        await asyncio.gather(*(hosted.look() for hosted in self._hosted.values()))
        found: dict[str, Waiting] = {}
        for name in self._queues():
            async for one in self._backlog.waiting(name):
                request = one.request.model_copy(update={"context": None})
                found[record_key(request.caller, request.request_id)] = replace(one, request=request)
        return found

    def _report(self, found: Waiting, record: Record | None) -> RequestReport:
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


def _key(letter: DeadLetter) -> str:
    return record_key(letter.caller, letter.request.request_id)


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
