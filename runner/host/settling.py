"""Ending a task in its queue: all that follows its recorded outcome, in place of a provider that has not got it."""

from __future__ import annotations

from dataclasses import dataclass

from runner.bus.connection import Connection
from runner.bus.events import Events
from runner.bus.work_queues import WorkQueues
from runner.host.desk import Desk
from runner.host.recording import Recording
from runner.subjects import Subjects, TaskCall
from runner.work import Record, WorkRequest


@dataclass(frozen=True, slots=True, eq=False)
class Settling:
    """Acts over the runner's own connection."""

    subjects: Subjects
    connection: Connection
    queues: WorkQueues
    desk: Desk
    events: Events

    async def settle(self, call: TaskCall, request: WorkRequest, sequence: int, record: Record) -> None:
        """Delivered, answered, and out of the queue, in this order: what breaks off is done when it has its turn.

        Raises StoreAway, ServerFailed and what `AWAY` lists.
        """
        answering = Recording(call.provider, self.subjects, self.connection, self.events, self.desk)
        await answering.follow(record, request, sender=call.caller)
        await self.queues.delete(call.provider, sequence)
