"""What a runner answers: where a request stands, cancel it, how the network is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from runner.bus.backlog import Waiting
from runner.bus.questions import Questions
from runner.bus.work_queues import WorkQueues
from runner.host.cancelling import Cancelling
from runner.host.census import Census
from runner.host.docket import Docket
from runner.host.foundation import Foundation
from runner.host.holders import HOLDS, Holders, held
from runner.host.hosted import Hosted
from runner.host.promotion import Promotion
from runner.host.revival import Revival
from runner.host.whereabouts import CALLS, Whereabouts
from runner.host.why import Why
from runner.reports import (
    CALLERS,
    CATALOG,
    REQUESTS,
    CatalogRequest,
    DiscoveryReport,
    Page,
    PageRequest,
    PriorityRequest,
)
from runner.subjects import RUNNERS
from runner.work import Record, Standing

ONE = "runners"
"""For what only one runner is to do. A question that comes to one that was stopped for a while is asked again."""


class Answers:
    """Serves the question subjects of a network for one runner.

    What changes nothing every runner answers, and the first answer counts: with a queue group, what is asked of a
    runner that was stopped for a while would be lost.
    """

    def __init__(
        self,
        ground: Foundation,
        census: Census,
        hosted: dict[str, Hosted],
        *,
        runner: str,
        whereabouts: Whereabouts,
        stop: Callable[[], None],
    ) -> None:
        self._subjects = ground.subjects
        self._desk = ground.desk
        self._backlog = ground.backlog
        self._census = census
        self._docket = Docket(
            census.queues, ground.backlog, ground.results, ground.known, ground.dead, ground.registry, hosted
        )
        self._hosted = hosted
        self._cancelling = Cancelling(ground, hosted, self._find, runner=runner)
        self._revival = Revival(ground.dead, ground.desk, self._docket, ground.events)
        self._why = Why(ground.in_force, ground.registry, ground.desk, hosted, runner)
        self._runner = runner
        queues = WorkQueues(ground.connection, ground.subjects)
        holders = Holders(Questions(ground.connection, ground.subjects), ground.subjects)
        self._promotion = Promotion(
            self._find,
            ground.backlog,
            queues,
            ground.desk,
            hosted,
            ground.registry,
            holders,
            ground.events,
            ground.in_force.queue_limit,
        )
        self._whereabouts = whereabouts
        self._stop = stop

    async def serve(self, questions: Questions) -> None:
        subjects = self._subjects
        await questions.answer(subjects.results(), self._result)
        await questions.answer(subjects.cancels(), self._cancel)
        await questions.answer(subjects.losts(), self._whereabouts.lost, queue=ONE)
        await questions.answer(subjects.control(self._runner, CALLS), self._whereabouts.has)
        await questions.answer(subjects.control(RUNNERS, "status"), self._status)
        await questions.answer(subjects.control(RUNNERS, "catalog"), self._catalog)
        await questions.answer(subjects.control(RUNNERS, "discovery"), self._discovery)
        await questions.answer(subjects.control(RUNNERS, "requests"), self._requests)
        await questions.answer(subjects.control(RUNNERS, "callers"), self._callers)
        await questions.answer(subjects.control(RUNNERS, "retry"), self._retry, queue=ONE)
        await questions.answer(subjects.control(RUNNERS, "prioritize"), self._prioritize, queue=ONE)
        await questions.answer(subjects.control(self._runner, HOLDS), self._holds)
        await questions.answer(subjects.control(RUNNERS, "why"), self._why.answer)
        await questions.answer(subjects.control(RUNNERS, "stop"), self._on_stop)
        await questions.ready()

    async def _result(self, subject: str, _: bytes) -> bytes | None:
        asked = self._subjects.parse_result(subject)
        return (await self._standing(*asked)).encode() if asked else None

    async def _standing(self, caller: str, request_id: str) -> Standing:
        """Looks twice at the record: a task may end, or move on, between the look at it and the look at the queue."""
        record = (await self._desk.read(caller, request_id)).record
        if done := _done(request_id, record):
            return done
        waiting = await self._find(caller, request_id)
        if waiting is None:
            record = (await self._desk.read(caller, request_id)).record
            return _done(request_id, record) or self._between(request_id, record)
        if (here := self._hosted.get(waiting.call.provider)) is not None:
            await here.look()
        return Standing(
            request_id=request_id,
            status="PENDING",
            state=self._docket.state(waiting.call.provider, waiting.request.caller, request_id, record),
            expires_at=waiting.request.expires_at,
            provider=waiting.call.provider,
            provider_state=self._census.state(waiting.call.provider),
        )

    def _between(self, request_id: str, record: Record | None) -> Standing:
        """Of what is in no queue: while it moves from one to another it can be missed in both, and its record tells.

        What was last sent of it says when it expires, where that is known.
        """
        expires_at = record.moved.expires_at if record is not None and record.moved is not None else None
        if record is None or (expires_at is not None and expires_at <= datetime.now(UTC)):
            return Standing(request_id=request_id, status="UNKNOWN")
        state = self._docket.state(record.provider, record.caller, request_id, record)
        return Standing(request_id=request_id, status="PENDING", state=state, expires_at=expires_at)

    async def _find(self, caller: str, request_id: str) -> Waiting | None:
        return await self._backlog.find(self._census.queues(), caller, request_id)

    async def _cancel(self, subject: str, _: bytes) -> bytes | None:
        asked = self._subjects.parse_cancel(subject)
        if asked is None:
            return None
        standing = await self._cancelling.cancel(asked)
        return standing.encode() if standing is not None else None

    async def _status(self, *_: object) -> bytes:
        return (await self._census.status()).model_dump_json(by_alias=True).encode()

    async def _catalog(self, _: str, body: bytes) -> bytes:
        wanted = CatalogRequest.read(body)
        return Page(self._census.catalog(wanted)).dump(CATALOG)

    async def _discovery(self, *_: object) -> bytes:
        return DiscoveryReport(away=self._desk.discovery_away).model_dump_json(by_alias=True).encode()

    async def _requests(self, _: str, body: bytes) -> bytes:
        return (await self._docket.requests(PageRequest.read(body))).dump(REQUESTS)

    async def _callers(self, _: str, body: bytes) -> bytes:
        """Who used a request id: rarely more than one."""
        return CALLERS.dump_json(await self._docket.callers(body.decode(errors="replace")))

    async def _holds(self, _: str, body: bytes) -> bytes:
        return await held(self._hosted, body)

    async def _retry(self, _: str, body: bytes) -> bytes:
        report = await self._revival.retry(body.decode(errors="replace"))
        return report.model_dump_json(by_alias=True).encode()

    async def _prioritize(self, _: str, body: bytes) -> bytes:
        asked = PriorityRequest.model_validate_json(body)
        report = await self._promotion.prioritize(asked.caller, asked.request_id, asked.priority)
        return report.model_dump_json(by_alias=True).encode()

    async def _on_stop(self, *_: object) -> bytes:
        self._stop()
        return b"{}"


def _done(request_id: str, record: Record | None) -> Standing | None:
    if record is None or record.response is None:
        return None
    return Standing(request_id=request_id, status="DONE", response=record.response)
