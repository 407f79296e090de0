"""Working off the task queue of one ensemble: each task at least once, its outcome recorded once.

A task goes: delivered → record read → accepted → pipeline → outcome recorded by compare-and-set → replied →
acknowledged. Killed anywhere on the way it is delivered again, and the record decides.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue, ValidationError

from runner.bus.notices import Notice, Notices
from runner.bus.puller import TaskMessage, TaskPuller
from runner.bus.streams import ACK_WAIT
from runner.host.crew import Crew
from runner.host.delegation import Delegation
from runner.host.desk import Held, StoreAway
from runner.host.ledger import Ledger
from runner.host.outcome import outcome, oversized, refused, rejected
from runner.host.pipeline import StepStatus, run_pipeline
from runner.host.workplace import Workplace
from runner.model import AnyStep, Task
from runner.work import (
    Code,
    Event,
    Record,
    Status,
    TaskAccepted,
    TraceContext,
    WorkError,
    WorkRequest,
    WorkResponse,
)

RECORD_PATIENCE = timedelta(seconds=60)
"""How long a finished outcome waits for the store to come back before the task is left for redelivery."""

RETRY_SECONDS = 0.25
RECORD_OVERHEAD_BYTES = 4096
_MEAN_WEIGHT = 0.2


@dataclass(slots=True, eq=False)
class InHand:
    """A task that was delivered here and is not acknowledged."""

    message: TaskMessage
    work: asyncio.Task[WorkResponse] | None = None
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True
        if self.work is not None:
            self.work.cancel()


class TaskQueue:
    """Takes tasks between `open` and `close`. `crew` owns the work."""

    def __init__(self, workplace: Workplace, crew: Crew) -> None:
        self._workplace = workplace
        self._crew = crew
        self._notices = Notices(workplace.connection, workplace.subjects, workplace.name)
        self._puller = TaskPuller(
            workplace.connection,
            workplace.subjects,
            workplace.name,
            free=lambda: workplace.slots.free,
            accept=self._accept,
        )
        self._pulling: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None
        self._claimed: set[tuple[str, str]] = set()
        self._mean_seconds = 0.0
        self.in_hand: dict[tuple[str, str], InHand] = {}

    async def open(self) -> None:
        await self._notices.open(self._heard)
        self._pulling = asyncio.ensure_future(self._puller.run())
        self._beating = asyncio.ensure_future(self._beat())

    async def stop_intake(self) -> None:
        """Take no new task; what is in hand goes on, and keeps being said to be alive."""
        await self._puller.close()
        await self._notices.close()
        if self._pulling is not None:
            await self._pulling

    async def close(self) -> None:
        """Nothing is in hand any more."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.wait((self._beating,))

    def wake(self) -> None:
        self._puller.wake()

    def reconnected(self) -> None:
        self._puller.forget()

    def cancel(self, caller: str, request_id: str) -> bool:
        """Cancel a task in hand. False where it is not here."""
        hand = self.in_hand.get((caller, request_id))
        if hand is not None:
            hand.cancel()
        return hand is not None

    def _heard(self, notice: Notice) -> None:
        """A task is durable. Where a slot is free it is about to be delivered; otherwise it is claimed to wait."""
        if self._workplace.slots.free <= 0 and (notice.call.caller, notice.request_id) not in self.in_hand:
            self._crew.start(self._claim(notice), f"claim {notice.request_id}")

    def _accept(self, message: TaskMessage) -> None:
        self._workplace.slots.take()
        self._crew.start(self._work(message), f"task {message.call.capability} for {message.call.caller}")

    async def _claim(self, notice: Notice) -> None:
        workplace, call = self._workplace, notice.call
        try:
            position = await workplace.desk.queue_position(workplace.name, call.priority, notice.sequence)
        except StoreAway:
            return
        self._claimed.add((call.caller, notice.request_id))
        await self._say_accepted(call.caller, notice.request_id, position)
        trace = TraceContext(traceparent=notice.traceparent) if notice.traceparent.count("-") == 3 else None
        workplace.events.write(
            Event(
                kind="accepted",
                at=datetime.now(UTC),
                ensemble=workplace.name,
                request_id=notice.request_id,
                caller=call.caller,
                capability=call.capability,
                trace_id=trace.trace_id if trace else None,
                name=f"{workplace.name}/{call.capability}",
                message=f"position {position}",
            )
        )

    async def _say_accepted(self, caller: str, request_id: str, position: int) -> None:
        workplace = self._workplace
        seconds = (position + 1) * self._mean_seconds / workplace.slots.count if position else self._mean_seconds
        accepted = TaskAccepted(
            request_id=request_id,
            queue_position=position,
            estimated_completion=timedelta(seconds=round(seconds, 3)),
            provider=workplace.name,
        )
        await workplace.connection.publish(
            workplace.subjects.reply(caller, workplace.name, request_id), accepted.encode()
        )

    async def _work(self, message: TaskMessage) -> None:
        """One delivery, from the record to the acknowledgement. Holds a slot when it starts and none when it ends."""
        try:
            request = WorkRequest.model_validate_json(message.data)
        except ValidationError as problem:
            self._workplace.log.warning("dropped a task that is no WorkRequest: %s", problem.errors()[0]["msg"])
            await message.ack()
            self._workplace.slots.give()
            return
        key = (message.call.caller, request.request_id)
        delegation = Delegation(self._workplace, request, message.call.capability)
        self.in_hand[key] = hand = InHand(message)
        try:
            await self._work_in_hand(hand, request, delegation)
        except StoreAway:
            self._workplace.log.warning("the store is away: %s stays queued", request.request_id)
        except asyncio.CancelledError:
            await message.give_back()
            raise
        finally:
            self.in_hand.pop(key, None)
            self._claimed.discard(key)
            delegation.finish()

    async def _work_in_hand(self, hand: InHand, request: WorkRequest, delegation: Delegation) -> None:
        workplace, call = self._workplace, hand.message.call
        first = hand.message.deliveries == 1
        held = await workplace.desk.read(call.caller, request.request_id, first_delivery=first)
        if held.record is not None and held.record.response is not None:
            await self._answer(hand.message, held.record.response)  # done before: a repeat, or a lost acknowledgement
            return
        ledger = Ledger(workplace.events, workplace.name, request)
        if (call.caller, request.request_id) not in self._claimed:
            await self._say_accepted(call.caller, request.request_id, 0)
            ledger.write("accepted")
        response = self._refusal(hand.message, request) or await self._run(hand, request, delegation, ledger)
        delegation.finish()
        if (size := len(response.encode())) > (limit := workplace.connection.max_payload - RECORD_OVERHEAD_BYTES):
            response = oversized(response, size, limit)
        response = await self._record(_record(hand.message, request, response, held), held)
        await self._answer(hand.message, response)
        ledger.end(response)

    def _refusal(self, message: TaskMessage, request: WorkRequest) -> WorkResponse | None:
        workplace, call = self._workplace, message.call
        capability = workplace.capability(call.capability)
        if capability is None or call.capability not in workplace.ensemble.tasks or request.task != call.capability:
            text = f"{workplace.name} has no task called {request.task!r}"
            hint = "`run-network catalog` shows what is on offer"
            return rejected(request.request_id, workplace.name, Code.UNKNOWN_CAPABILITY, text, hint)
        refusal = workplace.refusal(request, call.caller, capability)
        return refused(request.request_id, workplace.name, refusal) if refusal else None

    async def _run(self, hand: InHand, request: WorkRequest, delegation: Delegation, ledger: Ledger) -> WorkResponse:
        workplace = self._workplace
        task = workplace.ensemble.tasks[request.task]
        ledger.write("started")
        if hand.cancelled:
            return _cancelled(request, workplace.name)
        hand.work = asyncio.ensure_future(outcome(request, workplace.name, self._pipeline(task, delegation, ledger)))
        try:
            response = await hand.work
        except asyncio.CancelledError:
            if not hand.cancelled:
                raise
            return _cancelled(request, workplace.name)
        seconds = response.duration_ms / 1000
        self._mean_seconds += (seconds - self._mean_seconds) * (_MEAN_WEIGHT if self._mean_seconds else 1.0)
        return response

    async def _pipeline(self, task: Task, delegation: Delegation, ledger: Ledger) -> JsonValue:
        def on_step(
            step: AnyStep, started_at: datetime, duration_ms: float, status: StepStatus, message: str | None
        ) -> None:
            ledger.step(step.label, started_at, duration_ms, status, message)

        workplace = self._workplace
        return await run_pipeline(
            task, delegation, workplace.ensemble, workplace.network.models, workplace.functions, on_step
        )

    async def _record(self, record: Record, held: Held) -> WorkResponse:
        """Record the outcome, or learn which one was first. Raises StoreAway when patience ends."""
        desk = self._workplace.desk
        give_up = datetime.now(UTC) + RECORD_PATIENCE
        while True:
            try:
                if await desk.record(record, held.revision) and record.response is not None:
                    return record.response
                held = await desk.read(record.caller, record.response.request_id if record.response else "")
                if held.record is not None and held.record.response is not None:
                    return held.record.response
            except StoreAway:
                if datetime.now(UTC) > give_up:
                    raise
                await asyncio.sleep(RETRY_SECONDS)

    async def _answer(self, message: TaskMessage, response: WorkResponse) -> None:
        workplace = self._workplace
        subject = workplace.subjects.reply(message.call.caller, workplace.name, response.request_id)
        await workplace.connection.publish(subject, response.encode())
        await message.ack()

    async def _beat(self) -> None:
        """Say of everything in hand that it is alive, for as long as it is."""
        while True:
            await asyncio.sleep(ACK_WAIT.total_seconds() / 3)
            for hand in list(self.in_hand.values()):
                await hand.message.alive()


def _record(message: TaskMessage, request: WorkRequest, response: WorkResponse, held: Held) -> Record:
    return Record(
        epoch=held.record.epoch if held.record else 0,
        task=request.task,
        caller=message.call.caller,
        provider=message.call.provider,
        priority=request.priority,
        submitted_at=request.submitted_at,
        trace_id=request.trace_context.trace_id,
        attempts=message.deliveries,
        response=response,
    )


def _cancelled(request: WorkRequest, provider: str) -> WorkResponse:
    error = WorkError(code=Code.CANCELLED, message="the request was cancelled while it was worked on")
    return WorkResponse(request_id=request.request_id, status=Status.CANCELLED, error=error, provider=provider)
