"""Working tasks off: each at least once, its outcome recorded once.

A task goes: delivered to us → record read → accepted → pipeline → outcome recorded by compare-and-set → delivered
where the request wants it → replied → acknowledged. Killed anywhere on the way it comes again, and the record decides.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import JsonValue, ValidationError

from runner.bus.away import AWAY
from runner.bus.puller import TaskMessage
from runner.host.acceptance import Acceptance
from runner.host.checkpoints import Checkpoints
from runner.host.claim import Claim, Superseded
from runner.host.crew import Crew
from runner.host.delegation import Delegation
from runner.host.deliveries import unfit
from runner.host.desk import StoreAway
from runner.host.garbage import refuse
from runner.host.handing_over import HandingOver
from runner.host.in_hand import InHand
from runner.host.joining import LATER_SECONDS, Joining, Later
from runner.host.ledger import Ledger
from runner.host.outcome import cancelled, dead, outcome, refused, rejected
from runner.host.pipeline import run_pipeline
from runner.host.progress import Progress
from runner.host.recording import Recording, fitted
from runner.host.step_ends import or_stopped
from runner.host.workplace import Workplace
from runner.payload import PayloadProblem
from runner.routing.guards import Refusal
from runner.routing.handoffs import handed_off_by, is_proven
from runner.work import Code, Record, Status, WorkRequest, WorkResponse

ASTRAY_SECONDS = 2.0
"""When a task that is somebody else's by now is looked at again: its message is about to be taken out of our queue."""

REPEAT_SECONDS = 0.05
"""After which a request that was published before, and has no record, is looked at again: by then a start has one."""


@dataclass(slots=True, eq=False)
class TaskWork:
    """The tasks in hand of one ensemble, by caller and request id."""

    workplace: Workplace
    acceptance: Acceptance
    crew: Crew
    recording: Recording
    handing_over: HandingOver
    in_hand: dict[tuple[str, str], InHand] = field(default_factory=dict)
    _joining: Joining = field(init=False)
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When we last began to listen: the server may have forgotten how often it gave out what was published before."""

    def __post_init__(self) -> None:
        self._joining = Joining(self.workplace, self.in_hand)

    async def work(self, message: TaskMessage) -> None:
        """One delivery, from the record to the acknowledgement. Holds a slot when it starts and none when it ends."""
        try:
            hand = await self._take_up(message)
        except BaseException as problem:  # nobody has it in hand
            self.workplace.slots.give()
            await message.give_back(ASTRAY_SECONDS)
            if isinstance(problem, StoreAway):
                return
            raise
        if hand is None:
            self.workplace.slots.give()
            return
        caller, request = hand.claim.caller, hand.claim.request
        try:
            await self._to_the_end(hand, caller, request)
        except asyncio.CancelledError:
            await hand.claim.call_off()
            await hand.give_back()
            raise
        finally:
            del self.in_hand[(caller, request.request_id)]
            hand.end()
            self.acceptance.forget(caller, request.request_id)
            hand.delegation.finish()

    async def _take_up(self, message: TaskMessage) -> InHand | None:
        """What is in hand from now on; None where the message needs no work of its own, and is seen to.

        Raises StoreAway.
        """
        try:
            request = WorkRequest.model_validate_json(message.data)
        except ValidationError as problem:
            await refuse(message, problem, self.workplace, self.recording)
            return None
        caller = await self._owner(message, request)
        key = (caller, request.request_id)
        if hand := self.in_hand.get(key):
            if hand.claim.request.chain == request.chain:  # delivered again: one piece of work answers both
                hand.messages[message.sequence] = message
            else:  # it was handed off and came back, and we are not done with its other turn
                await message.give_back(ASTRAY_SECONDS)
            return None
        delegation = Delegation(self.workplace, request, message.call.capability, len(message.data))
        claim = self._claim(message, caller, request)
        self.in_hand[key] = hand = InHand(delegation, claim, message.call.priority, {message.sequence: message})
        return hand

    async def _owner(self, message: TaskMessage, request: WorkRequest) -> str:
        """Whose request it is: the sender's, unless it was handed off by one who had it from somebody else.

        Raises StoreAway.
        """
        sender, named = message.call.caller, request.caller
        if named == sender:
            return sender
        held = await self.workplace.desk.read(named, request.request_id)
        return named if is_proven(held.record, request, sender) else sender

    def _claim(self, message: TaskMessage, caller: str, request: WorkRequest) -> Claim:
        workplace = self.workplace
        first = message.deliveries == 1 and message.publication == 0
        return Claim(
            workplace.desk,
            request,
            caller,
            workplace.name,
            workplace.runner,
            first_delivery=first,
            afresh=first and message.stamp >= self.since.timestamp(),
        )

    async def _to_the_end(self, hand: InHand, caller: str, request: WorkRequest) -> None:
        """The door of one piece of work: whatever it comes to, the task is answered, or stays queued."""
        try:
            await self._seen_through(hand, caller, request)
        except Later:
            await hand.give_back(LATER_SECONDS)
        except (StoreAway, *AWAY) as problem:
            self.workplace.log.warning("the server is away (%s): %s stays queued", problem, request.request_id)
        except Superseded as other:  # what was to be sent on in its turn had gone on already
            self.workplace.log.info("%s is seen to by %s", request.request_id, other.record.provider)
            await hand.give_back(ASTRAY_SECONDS)
        except Exception:  # one piece of work: log and convert
            self.workplace.log.exception("%s/%s broke", self.workplace.name, request.task)
            with suppress(StoreAway, *AWAY):  # then it stays queued
                await self._give_up(hand, request)

    async def _seen_through(self, hand: InHand, caller: str, request: WorkRequest) -> None:
        """Our part of it, whoever's record stands. Raises StoreAway and what `AWAY` lists; Later."""
        try:
            await self._see_through(hand, caller, request)
        except Superseded as other:
            await self._yield_to(hand, other.record)

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
        if handed_off_by(record, self.workplace.name):
            await self._end(hand, await self.handing_over.again(hand, record))
            return
        self.workplace.log.info("%s is %s's by now: given back", record.request_id, record.provider)
        await hand.give_back(ASTRAY_SECONDS)

    async def _see_through(self, hand: InHand, caller: str, request: WorkRequest) -> None:
        await hand.claim.look()
        if hand.is_repeat and not hand.claim.record_stands:
            await asyncio.sleep(REPEAT_SECONDS)
            await hand.claim.look()
        if await self._is_at_work_elsewhere(hand, request):
            await self.acceptance.say(caller, request.request_id)
            await hand.give_back(ASTRAY_SECONDS)  # never away with it: the other's message may be deleted by a move
            return
        ledger = Ledger(self.workplace.events, self.workplace.name, request)
        if self.acceptance.claim(caller, request.request_id):
            ledger.write("accepted", once=self._told_once(hand))
            async with self.acceptance.said_soon(caller, request.request_id):
                record = await self._settle(hand, caller, request, ledger)
        else:
            record = await self._settle(hand, caller, request, ledger)
        await self._end(hand, record)
        if record.response is not None:
            ledger.end(record.response)
            if hand.kept is not None:
                await hand.kept.forget()

    def _told_once(self, hand: InHand) -> str | None:
        """What keeps others from telling the same of this message, where others may."""
        message = next(iter(hand.messages.values()))
        alone = message.deliveries == 1 and self.workplace.desk.replicas(self.workplace.name) < 2
        return None if alone else str(message.sequence)

    async def _end(self, hand: InHand, record: Record) -> None:
        """Our part of it is over: it has its outcome, or another goes on with it."""
        hand.passed = True
        if record.response is None:
            await hand.ack()
        else:
            await self.recording.answer(hand, record)
        if len(self.crew) == 1:  # nothing of another task would leave with it
            self.workplace.connection.push()

    async def _is_at_work_elsewhere(self, hand: InHand, request: WorkRequest) -> bool:
        """Whether another runner works on the request, and has it from another message: ours is to wait for its end."""
        holder, claim = hand.claim.holder, hand.claim
        if holder is None:
            return False
        held = await claim.desk.held_by(holder, self.workplace.name, claim.caller, request.request_id)
        return bool(held) and held.isdisjoint(hand.messages)

    async def _settle(self, hand: InHand, caller: str, request: WorkRequest, ledger: Ledger) -> Record:
        """Work, and record what came of it."""
        delegation = hand.delegation
        response = self._refusal(hand, request) or self._death(hand, request, ledger)
        if response is None:
            response = await self._run(hand, request, delegation, ledger)
        elif hand.claim.may_have_begun and response.status is not Status.REJECTED:
            response = await self._with_earlier(hand, request, response)
        delegation.finish()
        await delegation.recall(response.status)
        successor = delegation.successor
        if successor is not None and response.status is Status.COMPLETED:
            return await self.handing_over.hand_over(hand, successor, response, ledger)
        return await hand.claim.conclude(await fitted(self.workplace, response))

    def _refusal(self, hand: InHand, request: WorkRequest) -> WorkResponse | None:
        workplace = self.workplace
        capability = workplace.shared.get(hand.delegation.capability)
        if capability is None or request.task != capability.name or request.task not in workplace.ensemble.tasks:
            text = f"{workplace.name} has no task called {request.task!r}"
            hint = "`run-network catalog` shows what is on offer"
            return rejected(request.request_id, workplace.name, Code.UNKNOWN_CAPABILITY, text, hint)
        refusal = workplace.refusal(request, hand.sender, capability, handed_off=hand.claim.caller != hand.sender)
        if refusal is None:
            problem = unfit(request, workplace.network.deliveries)
            refusal = Refusal(Status.REJECTED, problem) if problem else None
        return refused(request.request_id, workplace.name, refusal) if refusal else None

    def _death(self, hand: InHand, request: WorkRequest, ledger: Ledger) -> WorkResponse | None:
        """The outcome of a task that was started as often as it may be."""
        attempts = hand.claim.fatal_attempts
        if attempts < self.workplace.network.defaults.max_attempts:
            return None
        response = dead(request, self.workplace.name, attempts)
        ledger.write("dead", message=f"after {attempts} starts")
        return response

    async def _with_earlier(self, hand: InHand, request: WorkRequest, response: WorkResponse) -> WorkResponse:
        """The outcome of a task that is not started again, with what its earlier starts finished."""
        workplace = self.workplace
        hand.kept = Checkpoints(workplace, request, workplace.ensemble.tasks[request.task], hand.claim.epoch)
        await hand.kept.load()
        return response.model_copy(update={"partial": hand.kept.partial()})

    async def _run(self, hand: InHand, request: WorkRequest, delegation: Delegation, ledger: Ledger) -> WorkResponse:
        workplace = self.workplace
        task = workplace.ensemble.tasks[request.task]
        if hand.cancelled:
            return cancelled(request, workplace.name)
        hand.kept = Checkpoints(workplace, request, task, hand.claim.epoch)
        hand.progress = progress = Progress(task, hand.kept)
        hand.work, started = asyncio.current_task(), time.perf_counter()
        try:
            response = await outcome(request, workplace.name, self._attempt(hand, progress, ledger), progress.partial)
        except asyncio.CancelledError:
            if not hand.cancelled or hand.work is None:
                raise
            hand.work.uncancel()
            return cancelled(request, workplace.name, progress.partial, started=started)
        finally:
            hand.work = None
        self.acceptance.served(response.duration_ms / 1000, delegation.held_seconds)
        if response.status is Status.COMPLETED:
            workplace.times.add(task.name, response.duration_ms / 1000)
        return response

    async def _attempt(self, hand: InHand, progress: Progress, ledger: Ledger) -> JsonValue:
        """The result of one real start, from where an earlier one was, or of the same request that was first."""
        kept = hand.kept
        workplace = self.workplace
        first = await self._joining.first(hand) if self._joining.applies(hand.claim.request) else None
        if first is not None and first.outcome is not None:
            with suppress(PayloadProblem):  # its result is gone: then this one is the first
                result = await workplace.payloads.value(first.outcome.result, hand.delegation.deadline)
                ledger.write("joined", message=f"the same as {hand.claim.caller}/{first.request_id}")
                return result
        if kept is not None and hand.claim.may_have_begun:
            await kept.load()
        ensemble, models = workplace.ensemble, workplace.network.models
        on_step = or_stopped(ledger.step, lambda: self.crew.lets_go)
        await hand.delegation.unpack()  # what cannot be fetched is no start
        async with hand.claim.started():
            ledger.write("started")
            if kept is not None and (story := kept.story):
                ledger.write("resumed", message=story)
            return await run_pipeline(
                progress.task, hand.delegation, ensemble, models, workplace.functions, on_step, progress
            )
