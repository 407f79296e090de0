"""Working tasks off: each at least once, its outcome recorded once.

A task goes: delivered to us → record read → accepted → pipeline → outcome recorded by compare-and-set → delivered
where the request wants it → replied → acknowledged. Killed anywhere on the way it comes again, and the record decides.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import JsonValue, ValidationError

from runner.bus.away import AWAY
from runner.bus.events import NO_TRACE
from runner.bus.puller import TaskMessage
from runner.host.acceptance import Acceptance
from runner.host.crew import Crew
from runner.host.delegation import Delegation
from runner.host.desk import Held, StoreAway
from runner.host.in_hand import InHand
from runner.host.ledger import Ledger
from runner.host.outcome import cancelled, outcome, refused, rejected
from runner.host.pipeline import run_pipeline
from runner.host.progress import Progress
from runner.host.recording import Recording
from runner.host.workplace import Workplace
from runner.routing.deliveries import settled
from runner.routing.guards import Refusal
from runner.work import Code, Record, Status, WorkError, WorkRequest, WorkResponse


@dataclass(slots=True, eq=False)
class TaskWork:
    """The tasks in hand of one ensemble, by caller and request id."""

    workplace: Workplace
    acceptance: Acceptance
    crew: Crew
    recording: Recording
    in_hand: dict[tuple[str, str], InHand] = field(default_factory=dict)

    async def work(self, message: TaskMessage) -> None:
        """One delivery, from the record to the acknowledgement. Holds a slot when it starts and none when it ends."""
        try:
            request = WorkRequest.model_validate_json(message.data)
        except ValidationError as problem:
            self.workplace.slots.give()
            await self._refuse_garbage(message, problem)
            return
        key = (message.call.caller, request.request_id)
        if hand := self.in_hand.get(key):  # delivered again while it is worked on: one piece of work answers both
            hand.messages[message.sequence] = message
            self.workplace.slots.give()
            return
        delegation = Delegation(self.workplace, request, message.call.capability)
        self.in_hand[key] = hand = InHand(delegation, message.call.priority, {message.sequence: message})
        try:
            await self._to_the_end(hand, message.call.caller, request)
        except asyncio.CancelledError:
            await hand.give_back()
            raise
        finally:
            del self.in_hand[key]
            self.acceptance.forget(*key)
            delegation.finish()

    async def _to_the_end(self, hand: InHand, caller: str, request: WorkRequest) -> None:
        """The door of one piece of work: whatever it comes to, the task is answered, or stays queued."""
        try:
            await self._see_through(hand, caller, request)
        except (StoreAway, *AWAY) as problem:
            self.workplace.log.warning("the server is away (%s): %s stays queued", problem, request.request_id)
        except Exception:  # one piece of work: log and convert
            self.workplace.log.exception("%s/%s broke", self.workplace.name, request.task)
            response = rejected(
                request.request_id,
                self.workplace.name,
                Code.HANDLER_FAILED,
                f"{self.workplace.name} could not work on the request",
                "the traceback is in the runner's log",
            )
            record = self.recording.outcome(hand, caller, request, response, Held(None, 0))
            await self.recording.answer(hand, await self.recording.record(record, Held(None, 0)))

    async def _refuse_garbage(self, message: TaskMessage, problem: ValidationError) -> None:
        """A task that is no WorkRequest has its outcome too, under the id that its message carries."""
        caller, why = message.call.caller, problem.errors()[0]["msg"]
        self.workplace.log.warning("%s sent a task that is no WorkRequest: %s", caller, why)
        if message.request_id is not None:
            response = rejected(
                message.request_id,
                self.workplace.name,
                Code.INVALID_REQUEST,
                f"this is no WorkRequest: {why}",
                "see schemas/work-request.schema.json",
            )
            record = Record(
                request_id=message.request_id,
                task=message.call.capability,
                caller=caller,
                provider=self.workplace.name,
                priority=message.call.priority,
                submitted_at=datetime.now(UTC),
                trace_id=NO_TRACE,
                attempts=0,
                response=response,
            )
            await self.recording.reply(await self.recording.record(record, Held(None, 0)))
        await message.ack()

    async def _see_through(self, hand: InHand, caller: str, request: WorkRequest) -> None:
        held = await self.workplace.desk.read(caller, request.request_id, first_delivery=hand.deliveries == 1)
        if held.record is not None and held.record.response is not None:
            await self.recording.answer(hand, held.record)  # done before: a repeat, or a lost acknowledgement
            return
        ledger = Ledger(self.workplace.events, self.workplace.name, request)
        if self.acceptance.claim(caller, request.request_id):
            ledger.write("accepted")
            async with self.acceptance.said_soon(caller, request.request_id):
                record = await self._settle(hand, caller, request, held, ledger)
        else:
            record = await self._settle(hand, caller, request, held, ledger)
        await self.recording.answer(hand, record)
        if record.response is not None:
            ledger.end(record.response)

    async def _settle(self, hand: InHand, caller: str, request: WorkRequest, held: Held, ledger: Ledger) -> Record:
        """Work, and record what came of it; the record that stands, which may be an earlier one."""
        delegation = hand.delegation
        response = self._refusal(caller, request, delegation) or await self._run(hand, request, delegation, ledger)
        delegation.finish()
        await delegation.recall(response.status)
        return await self.recording.record(self.recording.outcome(hand, caller, request, response, held), held)

    def _refusal(self, caller: str, request: WorkRequest, delegation: Delegation) -> WorkResponse | None:
        workplace = self.workplace
        capability = workplace.capability(delegation.capability)
        if capability is None or request.task != capability.name or request.task not in workplace.ensemble.tasks:
            text = f"{workplace.name} has no task called {request.task!r}"
            hint = "`run-network catalog` shows what is on offer"
            return rejected(request.request_id, workplace.name, Code.UNKNOWN_CAPABILITY, text, hint)
        refusal = workplace.refusal(request, caller, capability)
        if refusal is None:
            delivery = settled(request.delivery, workplace.network.deliveries)
            refusal = Refusal(Status.REJECTED, delivery) if isinstance(delivery, WorkError) else None
        return refused(request.request_id, workplace.name, refusal) if refusal else None

    async def _run(self, hand: InHand, request: WorkRequest, delegation: Delegation, ledger: Ledger) -> WorkResponse:
        workplace = self.workplace
        task = workplace.ensemble.tasks[request.task]
        ledger.write("started")
        if hand.cancelled:
            return cancelled(request, workplace.name)
        progress = Progress(task)
        hand.work = asyncio.current_task()
        try:
            response = await outcome(
                request, workplace.name, self._pipeline(progress, delegation, ledger), progress.partial
            )
        except asyncio.CancelledError:
            if not hand.cancelled or hand.work is None:
                raise
            hand.work.uncancel()
            return cancelled(request, workplace.name, progress.partial)
        finally:
            hand.work = None
        self.acceptance.served(response.duration_ms / 1000, delegation.held_seconds)
        return response

    async def _pipeline(self, progress: Progress, delegation: Delegation, ledger: Ledger) -> JsonValue:
        workplace = self.workplace
        ensemble, models = workplace.ensemble, workplace.network.models
        return await run_pipeline(
            progress.task, delegation, ensemble, models, workplace.functions, ledger.step, progress
        )
