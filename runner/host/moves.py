"""What the leader does to a task that nobody claims. Each step may be done again: the next leader goes on from there.

Moved: the record names the new provider → the request is published to it → the old message is deleted → the caller is
told. Ended: the outcome is recorded → delivered and answered as a worker would → the message is deleted.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from runner.bus.connection import Connection
from runner.bus.events import Events
from runner.bus.work_queues import Stored, WorkQueues
from runner.host.desk import Desk, Held
from runner.host.ledger import Ledger
from runner.routing.claims import Candidate, Unclaimed
from runner.subjects import Subjects, TaskCall
from runner.work import Code, Record, Status, TaskMoved, WorkError, WorkRequest, WorkResponse

_log = logging.getLogger("runner.host")


@dataclass(frozen=True, slots=True)
class Place:
    """A task as it stands now: in its queue at `sequence`, with its record and what a compare-and-set must name."""

    task: Unclaimed
    sequence: int
    revision: int

    @classmethod
    def of(cls, stored: Stored, held: Held) -> Place:
        task = Unclaimed(stored.call, stored.request, stored.durable_since, held.record)
        return cls(task, stored.sequence, held.revision)


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """Acts over the runner's own connection. Everything here raises StoreAway, ServerFailed or what `AWAY` lists."""

    subjects: Subjects
    connection: Connection
    queues: WorkQueues
    desk: Desk
    events: Events

    async def reroute(self, place: Place, to: Candidate, why: str) -> bool:
        """Give the task to another provider. False: it has no room, and all is as before."""
        task, capability = place.task, to.capability
        moved = task.request.model_copy(update={"task": capability.name, "priority": task.call.priority})
        before = task.record or _first_record(task)
        record = before.model_copy(
            update={
                "epoch": before.epoch + 1,
                "provider": capability.provider,
                "task": capability.name,
                "moved": moved,
            }
        )
        if not await self.desk.record(record, place.revision):
            return True  # somebody was first: the next look tells what it is now
        return await self._carry_on(place, record, moved, why)

    async def complete(self, place: Place, record: Record, moved: WorkRequest) -> bool:
        """End what an earlier leader, or a provider that handed it off, began. False: no room, and it is taken back."""
        return await self._carry_on(place, record, moved, "whoever moved it went before it was done")

    async def expire(self, place: Place, *, why: str) -> None:
        """Record that the deadline passed, and answer. Without effect where somebody recorded another outcome."""
        task = place.task
        response = _expired(task, why)
        record = (task.record or _first_record(task)).model_copy(update={"response": response})
        if await self.desk.record(record, place.revision):
            await self.answer(place, record)
            self._ledger(task).end(response)

    async def answer(self, place: Place, record: Record) -> None:
        """All that follows a recorded outcome, in place of a provider that is not there."""
        task, response = place.task, record.response
        assert response is not None
        delivered = await self.desk.deliver(record)
        if (problem := delivered.problem) is not None:
            _log.warning("%s of %s is not delivered: %s", record.request_id, record.caller, problem.message)
            self._ledger(task).write("delivery-failed", message=f"{problem.code}: {problem.message}")
        if delivered.replies:
            subject = self.subjects.reply(record.caller, task.call.provider, record.request_id)
            await self.connection.publish(subject, response.encode())
        await self.queues.delete(task.call.provider, place.sequence)

    def hold(self, task: Unclaimed, why: str) -> None:
        """Tell that the task stays where it is."""
        call = task.call
        message = f"{call.provider} is not up and {why}: held until {task.request.expires_at.isoformat()}"
        self._ledger(task).write("CAPABILITY_DEGRADED", message=message)

    async def _carry_on(self, place: Place, record: Record, moved: WorkRequest, why: str) -> bool:
        """From the record on. Published twice under one message id is published once."""
        call = place.task.call
        refused = await self.desk.publish(moved, record.provider, sender=_sender(call, moved), publication=record.epoch)
        if refused is not None:
            _log.info("%s does not take %s over: %s", record.provider, record.request_id, refused.message)
            await self._take_back(place, record)
            return False
        await self.queues.delete(call.provider, place.sequence)
        await self._tell(place.task, record, why)
        return True

    async def _take_back(self, place: Place, record: Record) -> None:
        """The task is the old provider's again. Where its new one has recorded something meanwhile, it stays there."""
        held = await self.desk.read(record.caller, record.request_id)
        if held.record is None or (held.record.epoch, held.record.response) != (record.epoch, None):
            return
        back = {
            "epoch": record.epoch + 1,
            "provider": place.task.call.provider,
            "task": place.task.request.task,
            "moved": None,
        }
        await self.desk.record(held.record.model_copy(update=back), held.revision)

    async def _tell(self, task: Unclaimed, record: Record, why: str) -> None:
        call = task.call
        told = TaskMoved(request_id=record.request_id, provider=record.provider, reason=why)
        subject = self.subjects.reply(record.caller, call.provider, record.request_id)
        await self.connection.publish(subject, told.encode())
        route = f"from {call.provider}/{call.capability} to {record.provider}/{record.task}"
        self._ledger(task).write("DELEGATION_FAILED", message=f"{why}: moved {route}")

    def _ledger(self, task: Unclaimed) -> Ledger:
        return Ledger(self.events, task.call.provider, task.request)


def _sender(call: TaskCall, moved: WorkRequest) -> str:
    """Whom the subject names: who handed the task off, where its provider did so, else whoever sent it here."""
    handed_off = bool(moved.chain) and moved.chain[-1].startswith(f"{call.provider}/")
    return call.provider if handed_off else call.caller


def _first_record(task: Unclaimed) -> Record:
    """The record that stands for none: epoch 0, nothing started."""
    request = task.request
    return Record(
        request_id=request.request_id,
        task=request.task,
        caller=task.call.caller,
        provider=task.call.provider,
        priority=task.call.priority,
        submitted_at=request.submitted_at,
        trace_id=request.trace_context.trace_id,
        attempts=0,
        delivery=request.delivery,
    )


def _expired(task: Unclaimed, why: str) -> WorkResponse:
    request, call = task.request, task.call
    message = f"the deadline of {request.deadline.total_seconds():g} s passed: {why}"
    hint = f"see whether {call.provider} is up: `run-network status`"
    return WorkResponse(
        request_id=request.request_id,
        status=Status.EXPIRED,
        error=WorkError(code=Code.DEADLINE_EXCEEDED, message=message, hint=hint),
        provider=call.provider,
    )
