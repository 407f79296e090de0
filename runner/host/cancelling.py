"""Cancelling what somebody asked for: whoever holds the work stops it, and where nobody does, the outcome is recorded.

Every runner hears of every cancellation. The one that works on the request stops it and records what was finished; a
runner that does not is silent where another one does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from pydantic import JsonValue, ValidationError

from runner.bus.away import AWAY
from runner.bus.backlog import Waiting
from runner.bus.work_queues import WorkQueues
from runner.errors import ServerFailed
from runner.host.checkpoints import finished_under
from runner.host.descendants import Descendants
from runner.host.desk import StoreAway
from runner.host.foundation import Foundation
from runner.host.hosted import Hosted
from runner.host.ledger import Ledger
from runner.host.recording import Recording
from runner.host.settling import Settling
from runner.subjects import Reply
from runner.work import Code, Record, Standing, Status, WorkError, WorkResponse

HOLDER_SECONDS = 0.1
"""How much sooner the runner that holds the work may act: by then its start is on record."""

SETTLE_SECONDS = 1.0
"""How long whoever cancels waits for the delivery of that outcome."""

LOOKS = 5
"""How often a record is looked at that changes while it is written."""

_CANCELLED = b'"status":"CANCELLED"'

_log = logging.getLogger("runner.host")

Find = Callable[[str, str], Awaitable[Waiting | None]]
"""(caller, request id) → where it waits in a queue, if it does."""


class Cancelling:
    """Cancels for one runner; `hosted` are its ensembles."""

    def __init__(self, ground: Foundation, hosted: Mapping[str, Hosted], find: Find, *, runner: str) -> None:
        self._ground = ground
        self._hosted = hosted
        self._find = find
        self._runner = runner
        self._descendants = Descendants(ground.in_force, ground.backlog)
        queues = WorkQueues(ground.connection, ground.subjects)
        self._settling = Settling(ground.subjects, ground.connection, queues, ground.desk, ground.events)
        ground.known.tell(self.noticed)

    async def cancel(self, asked: Reply) -> Standing | None:
        """Where it stands then; None where another runner is to say so. One that has its outcome keeps it."""
        caller, request_id = asked.caller, asked.request_id
        await asyncio.gather(*(ensemble.look() for ensemble in self._hosted.values()))
        if self._stop(caller, request_id):
            with suppress(StoreAway, *AWAY):
                await self._recall((await self._ground.desk.read(caller, request_id)).record)
            return Standing(request_id=request_id, status="PENDING", state="CANCELLING")
        if self._others():
            await asyncio.sleep(HOLDER_SECONDS)
        for _ in range(LOOKS):
            held = await self._ground.desk.read(caller, request_id)
            if held.record is not None and held.record.response is not None:
                return Standing(request_id=request_id, status="DONE", response=held.record.response)
            if held.record is not None and self._is_held_elsewhere(held.record):
                return None
            waiting = await self._find(caller, request_id)
            if waiting is None and held.record is None:
                break
            record = _cancelled(held.record, waiting, await finished_under(self._ground.desk, held.record))
            if await self._ground.desk.record(record, held.revision):
                await self._end(record, waiting)
                await self._recall(held.record)
                return Standing(request_id=request_id, status="DONE", response=record.response)
        done = (await self._ground.desk.read(caller, request_id)).record
        if done is not None and done.response is not None:
            return Standing(request_id=request_id, status="DONE", response=done.response)
        return Standing(request_id=request_id, status="UNKNOWN")

    def noticed(self, key: str, value: bytes) -> None:
        """A record was written elsewhere. Work in hand here that it calls cancelled stops.

        The write may yet be refused: somebody asked for the cancellation all the same.
        """
        caller, _, request_id = key.partition(".")
        if _CANCELLED not in value:
            return
        try:
            record = Record.model_validate_json(value)
        except ValidationError:
            return
        if record.response is not None and record.response.status is Status.CANCELLED:
            self._stop(caller, request_id)

    async def _recall(self, record: Record | None) -> None:
        """Cancel what was asked for a request by a runner that is gone; a runner that works on it knows by itself."""
        lost = [attempt for attempt in record.history if attempt.runner != self._runner] if record else []
        if record is None or not lost:
            return
        async for child in self._descendants.of(record):
            subject = self._ground.subjects.cancel(child.caller, child.provider, child.request_id)
            await self._ground.connection.publish(subject, b"")  # the other runners hear of it, this one does not
            await self.cancel(child)

    def _stop(self, caller: str, request_id: str) -> bool:
        """Wherever it is in hand: it may have been handed from one ensemble here to another."""
        stopped = [ensemble.cancel(caller, request_id) for ensemble in self._hosted.values()]
        return any(stopped)

    def _others(self) -> bool:
        """Whether there are runners beside this one."""
        return bool(self._ground.registry.runners() - {self._runner})

    def _is_held_elsewhere(self, record: Record) -> bool:
        """Whether a live runner has started the work, and not come to its end."""
        last = record.history[-1] if record.history else None
        if last is None or last.ended is not None or last.runner == self._runner:
            return False
        return last.runner in {registration.runner for registration in self._ground.registry.of(last.provider)}

    async def _end(self, record: Record, waiting: Waiting | None) -> None:
        """All that follows the outcome. What cannot be done now is done when the task has its turn."""
        response, ground = record.response, self._ground
        assert response is not None
        if waiting is None:
            await Recording(record.provider, ground.subjects, ground.connection, ground.events, ground.desk).reply(
                record
            )
            return
        Ledger(ground.events, record.provider, waiting.request).end(response)
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                await self._settling.settle(waiting.call, waiting.request, waiting.sequence, record)
        except (StoreAway, ServerFailed, *AWAY) as problem:
            _log.info("%s stays queued, though it was cancelled: %s", record.request_id, problem)


def _cancelled(record: Record | None, waiting: Waiting | None, partial: dict[str, JsonValue] | None = None) -> Record:
    """The outcome of what nobody works on: in the record that stands, or in a first one. One of the two is given.

    `partial` is what was finished under that record.
    """
    error = WorkError(code=Code.CANCELLED, message="the request was cancelled while it waited")
    if record is not None:
        response = WorkResponse(request_id=record.request_id, status=Status.CANCELLED, error=error, partial=partial)
        return record.model_copy(update={"response": response, "moved": None})
    assert waiting is not None
    request = waiting.request
    return Record(
        request_id=request.request_id,
        task=request.task,
        caller=waiting.call.caller,
        provider=waiting.call.provider,
        priority=request.priority,
        submitted_at=request.submitted_at,
        trace_id=request.trace_context.trace_id,
        attempts=0,
        delivery=request.delivery,
        response=WorkResponse(request_id=request.request_id, status=Status.CANCELLED, error=error),
    )
