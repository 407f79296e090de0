"""Handing a request off: the record names who goes on with it, and what with, before that one is sent it.

Killed before the record, the work is ours again. Killed after it, our message comes again, finds the record, and sends
what it says once more, under the same message id. Nobody else may record an outcome from the record on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.bus.connection import settled
from runner.host.claim import Claim
from runner.host.in_hand import InHand
from runner.host.ledger import Ledger
from runner.host.outcome import cancelled
from runner.host.recording import fitted
from runner.host.successor import Successor, successor_again
from runner.host.workplace import Workplace
from runner.model import HandoffStep
from runner.payload import PayloadProblem
from runner.routing.failover import has_no_room
from runner.subjects import publication_of_epoch
from runner.work import Record, Status, TaskMoved, WorkError, WorkResponse

MOVED = "MOVED"
"""How the span of the one who handed it off ends."""


@dataclass(frozen=True, slots=True, eq=False)
class HandingOver:
    """Hands off for one ensemble."""

    workplace: Workplace

    async def hand_over(self, hand: InHand, successor: Successor, done: WorkResponse, ledger: Ledger) -> Record:
        """The record as it stands then: the claim of the first who could take the request, or our own outcome where
        nobody could.

        `done` is what our part of the work came to. Raises Superseded, and StoreAway when patience ends.
        """
        claim = hand.claim
        try:
            request = await self.workplace.payloads.packed(successor.request)
        except PayloadProblem as problem:
            return await claim.conclude(await self._failed(hand, done, problem.error))
        passed = await claim.pass_on(successor.provider, request)
        if hand.cancelled:
            stopped = cancelled(hand.delegation.request, claim.provider, hand.partial)
            stopped = stopped.model_copy(update={"duration_ms": done.duration_ms})
            return await claim.take_back(passed, await fitted(self.workplace, stopped))
        hand.passed = True
        record, refused = await self._sent(claim, passed, successor, ledger)
        if refused is not None:
            return await claim.take_back(record, await self._failed(hand, done, refused))
        message = f"handed off to {record.provider}/{record.task}"
        ledger.write("moved", status=MOVED, duration_ms=done.duration_ms, message=message)
        return record

    async def again(self, hand: InHand, record: Record) -> Record:
        """Send what the record says, once more. The record as it stands then. Raises as `hand_over`."""
        claim, workplace = hand.claim, self.workplace
        ledger = Ledger(workplace.events, workplace.name, claim.request)
        named = successor_again(workplace, hand.delegation.request, record)
        record, refused = await self._sent(claim, record, named, ledger)
        if refused is None:
            return record
        response = WorkResponse(
            request_id=record.request_id, status=Status.FAILED, error=refused, provider=workplace.name
        )
        return await claim.take_back(record, response)

    async def _sent(
        self, claim: Claim, passed: Record, successor: Successor | None, ledger: Ledger
    ) -> tuple[Record, WorkError | None]:
        """Send what was passed on; whoever has no room is followed by the next. The last record, and why even that one
        is in nobody's queue, if so."""
        asked: list[str] = []
        while (refused := await self.send(passed)) is not None and successor is not None:
            asked.append(f"{successor} ({refused.code})")
            following = successor.following(refused.code) if has_no_room(refused) else None
            if following is None:
                return passed, _with_all(refused, asked)
            message = f"{successor} did not take it ({refused.code}): {following} is handed it"
            ledger.write("DELEGATION_FAILED", message=message)
            try:
                request = await self.workplace.payloads.packed(following.request)
            except PayloadProblem as problem:
                return passed, problem.error
            passed, successor = await claim.pass_over(passed, following.provider, request), following
        return passed, refused

    async def send(self, record: Record) -> WorkError | None:
        """It is in the next one's queue when this returns None; else why it is not. Raises StoreAway.

        Whoever waits is told before, so that an answer cannot come from somebody it does not know yet.
        """
        workplace, moved = self.workplace, record.moved
        assert moved is not None
        word = TaskMoved(request_id=record.request_id, provider=record.provider, reason="handed off")
        subject = workplace.subjects.reply(record.caller, workplace.name, record.request_id)
        await workplace.connection.publish(subject, word.encode())
        await settled(workplace.connection)
        publication = publication_of_epoch(record.epoch)
        return await workplace.desk.publish(moved, record.provider, sender=workplace.name, publication=publication)

    async def _failed(self, hand: InHand, done: WorkResponse, error: WorkError) -> WorkResponse:
        """What stands for the hand-off that came to nothing."""
        task = hand.progress.task if hand.progress else None
        choices = {step.label for step in task.steps if isinstance(step, HandoffStep)} if task else set()
        partial = {label: output for label, output in (hand.partial() or {}).items() if label not in choices}
        failed = {"status": Status.FAILED, "result": None, "error": error, "partial": partial or None}
        return await fitted(self.workplace, done.model_copy(update=failed))


def _with_all(refused: WorkError, asked: Sequence[str]) -> WorkError:
    """The last refusal, with everybody who was asked before."""
    if len(asked) < 2:
        return refused
    return refused.model_copy(update={"message": f"{refused.message}; asked were {', '.join(asked)}"})
