"""`retry`: which dead letter is meant, and putting its request back into its queue."""

from __future__ import annotations

from dataclasses import dataclass

from runner.bus.events import Events
from runner.dead_letter import DeadLetter
from runner.host.dead_letters import DeadLetters
from runner.host.desk import Desk
from runner.host.docket import Docket
from runner.host.ledger import Ledger
from runner.reports import ProblemReport, RetryReport
from runner.work import Code, WorkError


@dataclass(frozen=True, slots=True, eq=False)
class Revival:
    """Retries for one runner."""

    dead: DeadLetters
    desk: Desk
    docket: Docket
    events: Events

    async def retry(self, asked: str) -> RetryReport:
        """Of `ID` or `CALLER/ID`: queued again, or the reason why not as its error. Raises StoreAway."""
        caller, _, request_id = asked.rpartition("/")
        letters = await self.dead.of(request_id, caller or "*")
        if len(letters) != 1:
            return _refused(request_id, caller or None, await self._unclear(asked, request_id, letters))
        [letter] = letters
        if refused := await self.dead.retry(letter, self.desk):
            return _refused(request_id, letter.caller, refused)
        Ledger(self.events, letter.provider, letter.request).write("retried")
        return RetryReport(
            request_id=request_id, caller=letter.caller, provider=letter.provider, status="PENDING", state="QUEUED"
        )

    async def _unclear(self, asked: str, request_id: str, letters: tuple[DeadLetter, ...]) -> WorkError:
        if letters:
            either = " or ".join(f"{letter.caller}/{request_id}" for letter in letters)
            message = f"several callers have a dead letter {request_id}"
            return WorkError(code=Code.AMBIGUOUS_REQUEST, message=message, hint=f"say {either}")
        caller = asked.rpartition("/")[0]
        users = await self.docket.callers(request_id)
        if caller in users or (users and not caller):
            hint = "`run-network requests --state dead` lists what is; for new work use another id"
            return WorkError(code=Code.NOT_DEAD, message=f"{asked} is not dead", hint=hint)
        hint = "`run-network requests --state dead` lists the dead letters"
        return WorkError(code=Code.UNKNOWN_REQUEST, message=f"nobody knows a request {asked}", hint=hint)


def _refused(request_id: str, caller: str | None, error: WorkError) -> RetryReport:
    problem = ProblemReport(code=error.code, message=error.message, hint=error.hint)
    return RetryReport(request_id=request_id, caller=caller, error=problem)
