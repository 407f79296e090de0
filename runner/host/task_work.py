"""Working tasks off: each at least once, its outcome recorded once.

A task goes: delivered to us → record read → accepted → pipeline → outcome recorded by compare-and-set → delivered
where the request wants it → replied → acknowledged. Killed anywhere on the way it comes again, and the record decides.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import JsonValue, ValidationError

from runner.bus.away import AWAY
from runner.bus.events import NO_TRACE
from runner.bus.puller import TaskMessage
from runner.host.acceptance import Acceptance
from runner.host.claim import RECORD_PATIENCE, Claim, Superseded
from runner.host.crew import Crew
from runner.host.delegation import Delegation
from runner.host.desk import StoreAway
from runner.host.in_hand import InHand
from runner.host.joining import LATER_SECONDS, Joining, Later
from runner.host.ledger import Ledger
from runner.host.outcome import cancelled, dead, fitting, outcome, refused, rejected
from runner.host.pipeline import run_pipeline
from runner.host.progress import Progress
from runner.host.recording import Recording
from runner.host.workplace import Workplace
from runner.payload import PayloadProblem, PayloadsAway
from runner.routing.deliveries import settled
from runner.routing.guards import Refusal
from runner.work import Code, Record, Status, WorkError, WorkRequest, WorkResponse

ASTRAY_SECONDS = 2.0
"""When a task that is somebody else's by now is looked at again: its message is about to be taken out of our queue."""


@dataclass(slots=True, eq=False)
class TaskWork:
    """The tasks in hand of one ensemble, by caller and request id."""

    workplace: Workplace
    acceptance: Acceptance
    crew: Crew
    recording: Recording
    in_hand: dict[tuple[str, str], InHand] = field(default_factory=dict)
    _joining: Joining = field(init=False)
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When we last began to listen: the server may have forgotten how often it gave out what was published before."""

    def __post_init__(self) -> None:
        self._joining = Joining(self.workplace, self.in_hand)

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
        delegation = Delegation(self.workplace, request, message.call.capability, len(message.data))
        claim = self._claim(message, request)
        self.in_hand[key] = hand = InHand(delegation, claim, message.call.priority, {message.sequence: message})
        try:
            await self._to_the_end(hand, message.call.caller, request)
        except asyncio.CancelledError:
            await hand.give_back()
            raise
        finally:
            del self.in_hand[key]
            hand.end()
            self.acceptance.forget(*key)
            delegation.finish()

    def _claim(self, message: TaskMessage, request: WorkRequest) -> Claim:
        workplace = self.workplace
        first = message.deliveries == 1 and message.publication == 0
        return Claim(
            workplace.desk,
            request,
            message.call.caller,
            workplace.name,
            workplace.runner,
            first_delivery=first,
            afresh=first and message.stamp >= self.since.timestamp(),
        )

    async def _to_the_end(self, hand: InHand, caller: str, request: WorkRequest) -> None:
        """The door of one piece of work: whatever it comes to, the task is answered, or stays queued."""
        try:
            await self._see_through(hand, caller, request)
        except Superseded as other:
            await self._yield_to(hand, other.record)
        except Later:
            await hand.give_back(LATER_SECONDS)
        except (StoreAway, *AWAY) as problem:
            self.workplace.log.warning("the server is away (%s): %s stays queued", problem, request.request_id)
        except Exception:  # one piece of work: log and convert
            self.workplace.log.exception("%s/%s broke", self.workplace.name, request.task)
            await self._give_up(hand, request)

    async def _give_up(self, hand: InHand, request: WorkRequest) -> None:
        """Answer for work that broke its own frame."""
        workplace = self.workplace
        message = f"{workplace.name} could not work on the request"
        hint = "the traceback is in the runner's log"
        response = rejected(request.request_id, workplace.name, Code.HANDLER_FAILED, message, hint)
        try:
            await self.recording.answer(hand, await hand.claim.conclude(response))
        except Superseded as other:
            await self._yield_to(hand, other.record)

    async def _yield_to(self, hand: InHand, record: Record) -> None:
        """Another record stands: its outcome is the answer; a claim of somebody else's is not ours to work on."""
        if record.response is not None:
            await self.recording.answer(hand, record)
            return
        moved = record.moved
        if moved is not None and moved.chain and moved.chain[-1].startswith(f"{self.workplace.name}/"):
            refused = await self.workplace.desk.publish(
                moved, record.provider, sender=self.workplace.name, publication=record.epoch
            )
            if refused is None:
                await hand.ack()
                return
        self.workplace.log.info("%s is %s's by now: given back", record.request_id, record.provider)
        await hand.give_back(ASTRAY_SECONDS)

    async def _refuse_garbage(self, message: TaskMessage, problem: ValidationError) -> None:
        """A task that is no WorkRequest has its outcome too, under the id that its message carries."""
        caller, why = message.call.caller, problem.errors()[0]["msg"]
        self.workplace.log.warning("%s sent a task that is no WorkRequest: %s", caller, why)
        if message.request_id is not None:
            record = self._garbage(message, message.request_id, why)
            try:
                if await self.workplace.desk.record(record, 0) is not None:  # else its id has an outcome, or will
                    await self.recording.reply(record)
            except StoreAway:
                return  # it comes again
        await message.ack()

    def _garbage(self, message: TaskMessage, request_id: str, why: str) -> Record:
        name, hint = self.workplace.name, "see schemas/work-request.schema.json"
        return Record(
            request_id=request_id,
            task=message.call.capability,
            caller=message.call.caller,
            provider=name,
            priority=message.call.priority,
            submitted_at=datetime.now(UTC),
            trace_id=NO_TRACE,
            attempts=0,
            response=rejected(request_id, name, Code.INVALID_REQUEST, f"this is no WorkRequest: {why}", hint),
        )

    async def _see_through(self, hand: InHand, caller: str, request: WorkRequest) -> None:
        await hand.claim.look()
        ledger = Ledger(self.workplace.events, self.workplace.name, request)
        if self.acceptance.claim(caller, request.request_id):
            ledger.write("accepted")
            async with self.acceptance.said_soon(caller, request.request_id):
                record = await self._settle(hand, caller, request, ledger)
        else:
            record = await self._settle(hand, caller, request, ledger)
        await self.recording.answer(hand, record)
        if record.response is not None:
            ledger.end(record.response)

    async def _settle(self, hand: InHand, caller: str, request: WorkRequest, ledger: Ledger) -> Record:
        """Work, and record what came of it."""
        delegation = hand.delegation
        response = self._refusal(caller, request, delegation) or self._death(hand, request, ledger)
        response = response or await self._run(hand, request, delegation, ledger)
        delegation.finish()
        await delegation.recall(response.status)
        return await hand.claim.conclude(await self._fitting(response))

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

    def _death(self, hand: InHand, request: WorkRequest, ledger: Ledger) -> WorkResponse | None:
        """The outcome of a task that was started as often as it may be."""
        attempts = hand.claim.attempts
        if attempts < self.workplace.network.defaults.max_attempts:
            return None
        response = dead(request, self.workplace.name, attempts)
        ledger.write("dead", message=f"after {attempts} starts")
        return response

    async def _run(self, hand: InHand, request: WorkRequest, delegation: Delegation, ledger: Ledger) -> WorkResponse:
        workplace = self.workplace
        task = workplace.ensemble.tasks[request.task]
        if hand.cancelled:
            return cancelled(request, workplace.name)
        progress = Progress(task)
        hand.work = asyncio.current_task()
        try:
            response = await outcome(request, workplace.name, self._attempt(hand, progress, ledger), progress.partial)
        except asyncio.CancelledError:
            if not hand.cancelled or hand.work is None:
                raise
            hand.work.uncancel()
            return cancelled(request, workplace.name, progress.partial)
        finally:
            hand.work = None
        self.acceptance.served(response.duration_ms / 1000, delegation.held_seconds)
        return response

    async def _attempt(self, hand: InHand, progress: Progress, ledger: Ledger) -> JsonValue:
        """The result of one real start, or of the same request that was first."""
        workplace = self.workplace
        first = await self._joining.first(hand) if self._joining.applies(hand.claim.request) else None
        if first is not None and first.outcome is not None:
            with suppress(PayloadProblem):  # its result is gone: then this one is the first
                result = await workplace.payloads.value(first.outcome.result, hand.delegation.deadline)
                ledger.write("joined", message=f"the same as {hand.claim.caller}/{first.request_id}")
                return result
        ensemble, models = workplace.ensemble, workplace.network.models
        await hand.delegation.unpack()  # what cannot be fetched is no start
        async with hand.claim.started():
            ledger.write("started")
            return await run_pipeline(
                progress.task, hand.delegation, ensemble, models, workplace.functions, ledger.step, progress
            )

    async def _fitting(self, response: WorkResponse) -> WorkResponse:
        """The response as it is recorded. Raises StoreAway when patience ends."""
        kept = self.workplace.network.defaults.results_kept
        try:
            return await fitting(response, self.workplace.payloads, kept, RECORD_PATIENCE)
        except PayloadsAway as problem:
            raise StoreAway from problem
