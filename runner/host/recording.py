"""What follows a recorded outcome: it is buried or delivered, told, and its messages are acknowledged."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from runner.bus.connection import Connection
from runner.bus.events import Events
from runner.dead_letter import DeadLetter
from runner.host.claim import RECORD_PATIENCE
from runner.host.dead_letters import is_dead
from runner.host.desk import Desk, StoreAway
from runner.host.in_hand import InHand
from runner.host.ledger import Ledger
from runner.host.outcome import fitting
from runner.host.workplace import Workplace
from runner.payload import PayloadsAway
from runner.subjects import Subjects
from runner.work import Record, WorkRequest, WorkResponse

_log = logging.getLogger("runner.host")


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Answers as `provider`, over a connection that may: its own, or a runner's."""

    provider: str
    subjects: Subjects
    connection: Connection
    events: Events
    desk: Desk

    async def answer(self, hand: InHand, record: Record) -> None:
        """All that follows a recorded outcome, and follows it again where the task comes again."""
        await self.follow(record, hand.claim.request, sender=hand.sender)
        await hand.ack()

    async def follow(self, record: Record, request: WorkRequest, *, sender: str) -> None:
        """All but the acknowledgement. `sender` is whom the subject says the request is from."""
        if is_dead(record):
            await self.desk.bury(_letter(record, request, sender))
        delivered = await self.desk.deliver(record)
        if (problem := delivered.problem) is not None:
            _log.warning("%s of %s is not delivered: %s", record.request_id, record.caller, problem.message)
            ledger = Ledger(self.events, self.provider, request)
            ledger.write("delivery-failed", message=f"{problem.code}: {problem.message}")
        if delivered.replies:
            await self.reply(record)

    async def reply(self, record: Record) -> None:
        """Tell whoever waits, if anybody does."""
        response = record.response
        assert response is not None
        subject = self.subjects.reply(record.caller, self.provider, response.request_id)
        await self.connection.publish(subject, response.encode())


def _letter(record: Record, request: WorkRequest, sender: str) -> DeadLetter:
    return DeadLetter(
        request=request,
        caller=record.caller,
        sender=sender,
        provider=record.provider,
        epoch=record.epoch,
        attempts=record.attempts,
        history=record.history,
        died_at=datetime.now(UTC),
    )


async def fitted(workplace: Workplace, response: WorkResponse) -> WorkResponse:
    """The response as it is recorded. Raises StoreAway when patience ends."""
    kept = workplace.network.defaults.results_kept
    try:
        return await fitting(response, workplace.payloads, kept, RECORD_PATIENCE)
    except PayloadsAway as problem:
        raise StoreAway from problem
