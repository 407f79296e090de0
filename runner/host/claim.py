"""A worker's hold on the record of one request: from the first look at it to the one outcome."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from runner.host.attempts import called_off, fatal, passed_on, passed_over, recorded, taken_back
from runner.host.desk import Desk, Held, StoreAway
from runner.routing.handoffs import is_current
from runner.work import Attempt, Record, WorkRequest, WorkResponse

START_RECORD_SECONDS = 0.02
"""Work that lasts longer than this is recorded as started; what is shorter has its outcome at once."""

RECORD_PATIENCE = timedelta(seconds=60)
"""How long a finished outcome waits for the store to come back before the task is left for redelivery."""

RETRY_SECONDS = 0.25
CALL_OFF_SECONDS = 1.0
"""How long a runner that stops takes to say of a start that it was cut short."""

NOTHING = Held(None, 0)


class Superseded(Exception):
    """Another record stands: an outcome that came first, or a claim that is not, or no longer, this worker's."""

    def __init__(self, record: Record) -> None:
        self.record = record


@dataclass(slots=True, eq=False)
class Claim:
    """The claim of `provider`, on `runner`, to a request. `caller` is whose record it is."""

    desk: Desk
    request: WorkRequest
    caller: str
    provider: str
    runner: str
    first_delivery: bool
    afresh: bool
    """Whether it is the first delivery to anybody, for sure: the worker was there before the request was."""
    _held: Held = NOTHING
    _epoch: int | None = None
    _attempt: Attempt | None = None
    _starting: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def attempts(self) -> int:
        """How many real starts are recorded."""
        return self._held.record.attempts if self._held.record else 0

    @property
    def fatal_attempts(self) -> int:
        """How many of them came to nothing by themselves: those that a drain cut short do not count."""
        return fatal(self._held.record)

    @property
    def epoch(self) -> int:
        """The claim's number; a new routing or a retry makes it another claim."""
        return self._epoch or 0

    @property
    def record_stands(self) -> bool:
        return self._held.record is not None

    @property
    def holder(self) -> str | None:
        """Another runner whose start is the last one recorded, and has not come to its end."""
        history = self._held.record.history if self._held.record else ()
        last = history[-1] if history else None
        if last is None or last.ended is not None or last.provider != self.provider or last.runner == self.runner:
            return None
        return last.runner

    @property
    def may_have_begun(self) -> bool:
        """Whether somebody may have worked on the request before."""
        return not self.afresh or self._held.record is not None

    @property
    def record(self) -> Record:
        """The record as it would stand without an outcome."""
        return recorded(self.request, self.caller, self.provider, self._held.record, self._attempt)

    async def look(self) -> None:
        """Hold the record that stands. Raises Superseded, and StoreAway."""
        first = self._epoch is None and self.first_delivery
        held = await self.desk.read(self.caller, self.request.request_id, first_delivery=first)
        record = held.record
        epoch = record.epoch if record else 0
        mine = self._epoch if self._epoch is not None else epoch
        if record is not None and (epoch != mine or not self._is_ours(record)):
            raise Superseded(record)
        self._held, self._epoch = held, mine

    @asynccontextmanager
    async def started(self) -> AsyncIterator[None]:
        """The block is one real start, which counts.

        It is recorded before the block where somebody may have begun before; else only if the block lasts, so that a
        short task costs one write. Raises Superseded, StoreAway.
        """
        self._attempt = Attempt(
            number=self.attempts + 1, runner=self.runner, provider=self.provider, started_at=datetime.now(UTC)
        )
        if self.may_have_begun:
            await self._write()
            yield
            return
        loop = asyncio.get_running_loop()
        soon = loop.call_later(START_RECORD_SECONDS, lambda: self._starting.append(loop.create_task(self._try_write())))
        try:
            yield
        finally:
            soon.cancel()
            if self._starting:
                await asyncio.wait(self._starting)

    async def conclude(self, response: WorkResponse) -> Record:
        """Record the outcome. Raises Superseded, and StoreAway when patience ends."""
        give_up = datetime.now(UTC) + RECORD_PATIENCE
        while True:
            record = recorded(self.request, self.caller, self.provider, self._held.record, self._attempt, response)
            try:
                if await self._put(record):
                    return record
                await self.look()
            except Superseded as other:
                if other.record != record:
                    raise
                return record  # it was written, and nobody said so
            except StoreAway:
                if datetime.now(UTC) > give_up:
                    raise
                await asyncio.sleep(RETRY_SECONDS)

    async def call_off(self) -> None:
        """The start that was recorded, if it was, is cut short and not to be held against the task."""
        record = self._held.record
        if record is None or self._attempt is None:
            return
        ended = called_off(record, self._attempt)
        if ended != record:
            with suppress(StoreAway, TimeoutError):
                async with asyncio.timeout(CALL_OFF_SECONDS):
                    await self._put(ended)

    async def pass_on(self, provider: str, request: WorkRequest) -> Record:
        """Make it the claim of another provider, who is to be sent `request`; the record as it stands then.

        Raises Superseded, and StoreAway when patience ends.
        """
        passed = passed_on(self.record, provider, request)
        give_up = datetime.now(UTC) + RECORD_PATIENCE
        while True:
            try:
                if await self._put(passed):
                    return passed
                held = await self.desk.read(self.caller, request.request_id)
                if held.record == passed:  # it was written, and nobody said so
                    self._held = held
                    return passed
                await self.look()
                passed = passed_on(self.record, provider, request)
            except StoreAway:
                if datetime.now(UTC) > give_up:
                    raise
                await asyncio.sleep(RETRY_SECONDS)

    async def pass_over(self, passed: Record, provider: str, request: WorkRequest) -> Record:
        """Make it the claim of another provider than the one it was passed on to, who never got it.

        Raises as `take_back`.
        """
        record = passed_over(passed, provider, request)
        await self._replace(passed, record)
        return record

    async def take_back(self, passed: Record, response: WorkResponse) -> Record:
        """Record an outcome of our own in place of what was passed on, which nobody got.

        Raises Superseded where somebody did, and StoreAway when patience ends.
        """
        record = taken_back(passed, self.request, self.provider, response)
        await self._replace(passed, record)
        return record

    async def _replace(self, passed: Record, record: Record) -> None:
        """Raises Superseded where another record stands, and StoreAway when patience ends."""
        give_up = datetime.now(UTC) + RECORD_PATIENCE
        while True:
            try:
                held = await self.desk.read(self.caller, self.request.request_id)
                if held.record == record:  # it was written, and nobody said so
                    return
                if held.record is None or held.record != passed:
                    raise Superseded(held.record or passed)
                if await self.desk.record(record, held.revision):
                    return
            except StoreAway:
                if datetime.now(UTC) > give_up:
                    raise
                await asyncio.sleep(RETRY_SECONDS)

    def _is_ours(self, record: Record) -> bool:
        return record.response is None and record.provider == self.provider and is_current(record, self.request)

    async def _try_write(self) -> None:
        """What hinders it stands in the way of the outcome as well, and is dealt with there."""
        with suppress(Superseded, StoreAway):
            await self._write()

    async def _write(self) -> None:
        while not await self._put(self.record):
            await self.look()

    async def _put(self, record: Record) -> bool:
        revision = await self.desk.record(record, self._held.revision)
        if revision is not None:
            self._held = Held(record, revision)
        return revision is not None
