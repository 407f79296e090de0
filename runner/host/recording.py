"""What follows a recorded outcome: it is buried or delivered, told, and its messages are acknowledged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from runner.dead_letter import DeadLetter
from runner.host.dead_letters import is_dead
from runner.host.in_hand import InHand
from runner.host.ledger import Ledger
from runner.host.workplace import Workplace
from runner.work import Record


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Answers for one ensemble."""

    workplace: Workplace

    async def answer(self, hand: InHand, record: Record) -> None:
        """All that follows a recorded outcome, and follows it again where the task comes again."""
        if is_dead(record):
            await self.workplace.desk.bury(_letter(hand, record))
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


def _letter(hand: InHand, record: Record) -> DeadLetter:
    return DeadLetter(
        request=hand.claim.request,
        caller=record.caller,
        sender=hand.sender,
        provider=record.provider,
        epoch=record.epoch,
        attempts=record.attempts,
        history=record.history,
        died_at=datetime.now(UTC),
    )
