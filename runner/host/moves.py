"""What the leader does to a task that nobody claims. Each step may be done again: the next leader goes on from there.

Moved: the record names the new provider → the caller is told, so that no answer comes from somebody it does not know →
the request is published → the old message is deleted. Ended: the outcome is recorded → delivered and answered, as a
worker would → the message is deleted.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import JsonValue

from runner.bus.connection import Connection, settled
from runner.bus.events import Events
from runner.bus.work_queues import Stored, WorkQueues
from runner.host.attempts import GONE, recorded
from runner.host.checkpoints import finished_under
from runner.host.claim import NOTHING
from runner.host.desk import Desk
from runner.host.ledger import Ledger
from runner.host.settling import Settling
from runner.routing.claims import Candidate, Unclaimed
from runner.routing.handoffs import is_proven
from runner.subjects import Subjects, TaskCall, publication_of_epoch
from runner.work import Code, Record, Status, TaskMoved, WorkError, WorkRequest, WorkResponse

_log = logging.getLogger("runner.host")


@dataclass(frozen=True, slots=True)
class Place:
    """A task as it stands now: in its queue at `sequence`, with its record and what a compare-and-set must name."""

    task: Unclaimed
    sequence: int
    revision: int

    @classmethod
    async def of(cls, stored: Stored, desk: Desk, *, first_delivery: bool = False) -> Place:
        """With its record, which of one that was handed off is its first caller's. Raises StoreAway."""
        call, request = stored.call, stored.request
        held, handed_off = NOTHING, False
        if request.caller != call.caller:
            held = await desk.read(request.caller, request.request_id)
            handed_off = is_proven(held.record, request, call.caller)
        if not handed_off:
            held = await desk.read(call.caller, request.request_id, first_delivery=first_delivery)
        task = Unclaimed(call, request, stored.durable_since, held.record, handed_off=handed_off)
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
        record = _moved_on(task, moved, capability.provider)
        if await self.desk.record(record, place.revision) is None:
            return True  # somebody was first: the next look tells what it is now
        return await self._carry_on(place, record, moved, why)

    async def complete(self, place: Place, record: Record, moved: WorkRequest) -> bool:
        """End what an earlier leader, or a provider that handed it off, began. False: the new provider has no room."""
        return await self._carry_on(place, record, moved, "whoever moved it went before it was done")

    async def expire(self, place: Place, *, why: str) -> None:
        """Record that the deadline passed, and answer. Without effect where somebody recorded another outcome."""
        task = place.task
        await self._end(place, _expired(task, why, await finished_under(self.desk, task.record)))

    async def give_up(self, place: Place) -> None:
        """Record that its provider was removed, and answer. Without effect where somebody recorded another outcome."""
        task = place.task
        await self._end(place, _removed(task, await finished_under(self.desk, task.record)))

    async def _end(self, place: Place, response: WorkResponse) -> None:
        task = place.task
        record = recorded(task.request, task.owner, task.call.provider, task.record, response=response)
        if await self.desk.record(record, place.revision) is not None:
            await self.answer(place, record)
            self._ledger(task).end(response)
            await self.desk.forget_checkpoints(record.caller, record.request_id)

    async def answer(self, place: Place, record: Record) -> None:
        """All that follows a recorded outcome, in place of a provider that is not there."""
        settling = Settling(self.subjects, self.connection, self.queues, self.desk, self.events)
        await settling.settle(place.task.call, place.task.request, place.sequence, record)

    def hold(self, task: Unclaimed, why: str) -> None:
        """Tell that the task stays where it is."""
        call = task.call
        until = task.request.expires_at.isoformat(timespec="seconds")
        message = f"{call.provider} is not up, and {why}: held until {until}"
        self._ledger(task).write("CAPABILITY_DEGRADED", message=message)

    async def _carry_on(self, place: Place, record: Record, moved: WorkRequest, why: str) -> bool:
        """From the record on. Published twice under one message id is published once."""
        call = place.task.call
        await self._tell(call, record, why)
        publication = publication_of_epoch(record.epoch)
        sender = _sender(call, moved)
        refused = await self.desk.publish(moved, record.provider, sender=sender, publication=publication)
        if refused is not None:
            _log.info("%s does not take %s over: %s", record.provider, record.request_id, refused.message)
            if not _is_handed_off(call, moved):  # else its old provider has done its part, and does not get it back
                await self._take_back(place, record)
            elif moved.expires_at <= datetime.now(UTC):
                await self.expire(place, why=f"{record.provider}, to whom it was handed off, did not take it")
            return False
        await self.queues.delete(call.provider, place.sequence)
        route = f"from {call.provider}/{call.capability} to {record.provider}/{record.task}"
        self._ledger(place.task).write("DELEGATION_FAILED", message=f"{why}: moved {route}")
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

    async def _tell(self, call: TaskCall, record: Record, why: str) -> None:
        """Returns when the server has it."""
        told = TaskMoved(request_id=record.request_id, provider=record.provider, reason=why)
        subject = self.subjects.reply(record.caller, call.provider, record.request_id)
        await self.connection.publish(subject, told.encode())
        await settled(self.connection)

    def _ledger(self, task: Unclaimed) -> Ledger:
        return Ledger(self.events, task.call.provider, task.request)


def _sender(call: TaskCall, moved: WorkRequest) -> str:
    """Whom the subject names: who handed the task off, where its provider did so, else whoever sent it here."""
    return call.provider if _is_handed_off(call, moved) else call.caller


def _is_handed_off(call: TaskCall, moved: WorkRequest) -> bool:
    """Whether the provider itself gave the task to another, after its own part of the work."""
    return bool(moved.chain) and moved.chain[-1].startswith(f"{call.provider}/")


def _moved_on(task: Unclaimed, moved: WorkRequest, provider: str) -> Record:
    """The record that gives the task to another provider; what was started before came to nothing."""
    record = recorded(moved, task.owner, provider, task.record)
    history = tuple(attempt.model_copy(update={"ended": attempt.ended or GONE}) for attempt in record.history)
    return record.model_copy(update={"epoch": record.epoch + 1, "moved": moved, "history": history})


def _expired(task: Unclaimed, why: str, partial: dict[str, JsonValue] | None) -> WorkResponse:
    request, call = task.request, task.call
    message = f"the deadline of {request.deadline.total_seconds():g} s passed: {why}"
    hint = f"see whether {call.provider} is up: `run-network status`"
    return WorkResponse(
        request_id=request.request_id,
        status=Status.EXPIRED,
        error=WorkError(code=Code.DEADLINE_EXCEEDED, message=message, hint=hint),
        provider=call.provider,
        partial=partial,
    )


def _removed(task: Unclaimed, partial: dict[str, JsonValue] | None) -> WorkResponse:
    provider = task.call.provider
    message = f"{provider} was removed from the network while this waited for it"
    hint = f"ask for it again once {provider} is back; with `defaults.on_remove: hold` it would wait for that"
    return WorkResponse(
        request_id=task.request.request_id,
        status=Status.FAILED,
        error=WorkError(code=Code.ENSEMBLE_REMOVED, message=message, hint=hint),
        provider=provider,
        partial=partial,
    )
