"""What a runner answers: where a request stands, cancel it, how the network is."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import TypeAdapter

from runner.bus.backlog import Backlog, Waiting
from runner.bus.questions import Questions
from runner.host.census import Census
from runner.host.desk import Desk
from runner.host.ensemble import HostedEnsemble
from runner.reports import CatalogEntry, RequestReport
from runner.subjects import RUNNERS, Subjects
from runner.work import Code, Record, Standing, Status, WorkError, WorkResponse

QUEUE = "runners"
CATALOG: TypeAdapter[tuple[CatalogEntry, ...]] = TypeAdapter(tuple[CatalogEntry, ...])
REQUESTS: TypeAdapter[tuple[RequestReport, ...]] = TypeAdapter(tuple[RequestReport, ...])

CALLERS: TypeAdapter[tuple[str, ...]] = TypeAdapter(tuple[str, ...])


class Answers:
    """Serves the question subjects of a network for one runner."""

    def __init__(
        self,
        *,
        subjects: Subjects,
        desk: Desk,
        backlog: Backlog,
        census: Census,
        hosted: dict[str, HostedEnsemble],
        stop: Callable[[], None],
    ) -> None:
        self._subjects = subjects
        self._desk = desk
        self._backlog = backlog
        self._census = census
        self._hosted = hosted
        self._stop = stop

    async def serve(self, questions: Questions) -> None:
        subjects = self._subjects
        await questions.answer(subjects.results(), self._result, queue=QUEUE)
        await questions.answer(subjects.cancels(), self._cancel)
        await questions.answer(subjects.control(RUNNERS, "status"), self._status)
        await questions.answer(subjects.control(RUNNERS, "catalog"), self._catalog, queue=QUEUE)
        await questions.answer(subjects.control(RUNNERS, "requests"), self._requests, queue=QUEUE)
        await questions.answer(subjects.control(RUNNERS, "callers"), self._callers, queue=QUEUE)
        await questions.answer(subjects.control(RUNNERS, "stop"), self._on_stop)
        await questions.ready()

    async def _result(self, subject: str, _: bytes) -> bytes | None:
        asked = self._subjects.parse_result(subject)
        return (await self._standing(*asked)).encode() if asked else None

    async def _standing(self, caller: str, request_id: str) -> Standing:
        held = await self._desk.read(caller, request_id)
        if held.record is not None and held.record.response is not None:
            return Standing(request_id=request_id, status="DONE", response=held.record.response)
        waiting = await self._find(caller, request_id)
        if waiting is None:
            return Standing(request_id=request_id, status="UNKNOWN")
        running = any(ensemble.holds(caller, request_id) for ensemble in self._hosted.values())
        return Standing(
            request_id=request_id,
            status="PENDING",
            state="RUNNING" if running else "QUEUED",
            expires_at=waiting.request.expires_at,
        )

    async def _find(self, caller: str, request_id: str) -> Waiting | None:
        for name in self._census.queues():
            async for waiting in self._backlog.waiting(name, caller=caller):
                if waiting.request.request_id == request_id:
                    return waiting
        return None

    async def _cancel(self, subject: str, _: bytes) -> bytes | None:
        asked = self._subjects.parse_cancel(subject)
        if asked is None:
            return None
        if any(ensemble.cancel(asked.caller, asked.request_id) for ensemble in self._hosted.values()):
            return Standing(request_id=asked.request_id, status="PENDING", state="CANCELLING").encode()
        waiting = await self._find(asked.caller, asked.request_id)
        if waiting is not None:  # whoever is delivered it finds the outcome recorded, and acknowledges
            await self._desk.record(_cancelled(waiting), 0)
        return (await self._standing(asked.caller, asked.request_id)).encode()

    async def _status(self, *_: object) -> bytes:
        return (await self._census.status()).model_dump_json(by_alias=True).encode()

    async def _catalog(self, *_: object) -> bytes:
        return CATALOG.dump_json(self._census.catalog(), by_alias=True)

    async def _requests(self, *_: object) -> bytes:
        return REQUESTS.dump_json(await self._census.requests(), by_alias=True)

    async def _callers(self, _: str, body: bytes) -> bytes:
        """Who used a request id: rarely more than one."""
        request_id = body.decode(errors="replace")
        return CALLERS.dump_json(await self._census.callers(request_id))

    async def _on_stop(self, *_: object) -> bytes:
        self._stop()
        return b"{}"


def _cancelled(waiting: Waiting) -> Record:
    request = waiting.request
    error = WorkError(code=Code.CANCELLED, message="the request was cancelled while it waited")
    return Record(
        task=request.task,
        caller=waiting.call.caller,
        provider=waiting.call.provider,
        priority=request.priority,
        submitted_at=request.submitted_at,
        trace_id=request.trace_context.trace_id,
        attempts=0,
        response=WorkResponse(request_id=request.request_id, status=Status.CANCELLED, error=error),
    )
