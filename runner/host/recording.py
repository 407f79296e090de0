"""The end of a piece of work: its outcome recorded once, and all that follows a recorded outcome."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from runner.host.desk import Held, StoreAway
from runner.host.in_hand import InHand
from runner.host.ledger import Ledger
from runner.host.outcome import oversized
from runner.host.workplace import Workplace
from runner.work import Record, WorkRequest, WorkResponse

RECORD_PATIENCE = timedelta(seconds=60)
"""How long a finished outcome waits for the store to come back before the task is left for redelivery."""

RETRY_SECONDS = 0.25
RECORD_OVERHEAD_BYTES = 4096
"""What a record has around its result."""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Records and answers for one ensemble."""

    workplace: Workplace

    def outcome(self, hand: InHand, caller: str, request: WorkRequest, response: WorkResponse, held: Held) -> Record:
        """The record to write, with a result that the server will carry."""
        limit = self.workplace.connection.max_payload - RECORD_OVERHEAD_BYTES
        if (size := len(response.encode())) > limit:
            response = oversized(response, size, limit)
        return Record(
            epoch=held.record.epoch if held.record else 0,
            request_id=request.request_id,
            task=request.task,
            caller=caller,
            provider=self.workplace.name,
            priority=request.priority,
            submitted_at=request.submitted_at,
            trace_id=request.trace_context.trace_id,
            attempts=hand.deliveries,
            delivery=request.delivery,
            response=response,
        )

    async def record(self, record: Record, held: Held) -> Record:
        """Record the outcome, or learn which one was first. Raises StoreAway when patience ends."""
        desk = self.workplace.desk
        response = record.response
        assert response is not None
        give_up = datetime.now(UTC) + RECORD_PATIENCE
        while True:
            try:
                if await desk.record(record, held.revision):
                    return record
                held = await desk.read(record.caller, response.request_id)
                if held.record is not None and held.record.response is not None:
                    return held.record
            except StoreAway:
                if datetime.now(UTC) > give_up:
                    raise
                await asyncio.sleep(RETRY_SECONDS)

    async def answer(self, hand: InHand, record: Record) -> None:
        """All that follows a recorded outcome, and follows it again where the task comes again."""
        delivered = await self.workplace.desk.deliver(record)
        if (problem := delivered.problem) is not None:
            request = hand.delegation.request
            self.workplace.log.warning(
                "%s of %s is not delivered: %s", request.request_id, record.caller, problem.message
            )
            ledger = Ledger(self.workplace.events, self.workplace.name, request)
            ledger.write("delivery-failed", message=f"{problem.code}: {problem.message}")
        if delivered.replies:
            await self.reply(record)
        await hand.ack()

    async def reply(self, record: Record) -> None:
        """Tell whoever waits, if anybody does."""
        response = record.response
        assert response is not None
        subject = self.workplace.subjects.reply(record.caller, self.workplace.name, response.request_id)
        await self.workplace.connection.publish(subject, response.encode())
