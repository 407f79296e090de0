"""What a caller from outside puts up with: a deadline that passes, a provider that will be late, or has too much."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from runner.bus.failures import failure
from runner.bus.waiting import Hints
from runner.durations import format_duration
from runner.errors import UsageProblem
from runner.model import OnConstrained, OnDeadline, OnLateEta
from runner.routing.doubts import Verdict, is_late, of_constrained, of_late
from runner.work import Code, Status, TaskAccepted, TaskProgress, WorkError, WorkRequest, WorkResponse

LAST_WORD_SECONDS = 1.0
"""How long, after the deadline, a task that runs may take to say what it finished."""

Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Patience:
    """Whoever calls from outside asks again by itself: there is no fallback, and no other provider."""

    on_deadline: OnDeadline = OnDeadline.FAIL
    on_late_eta: OnLateEta = OnLateEta.ACCEPT
    on_constrained: OnConstrained = OnConstrained.WAIT

    @classmethod
    def of(cls, on_deadline: str, on_late_eta: str, on_constrained: str) -> Patience:
        """Raises UsageProblem for a word that is none of those above."""
        return cls(
            _word("on_deadline", on_deadline, (OnDeadline.FAIL, OnDeadline.CONTINUE)),
            _word("on_late_eta", on_late_eta, (OnLateEta.ACCEPT, OnLateEta.CONTINUE)),
            _word("on_constrained", on_constrained, (OnConstrained.WAIT, OnConstrained.FAIL)),
        )

    @property
    def grace(self) -> float:
        """How many seconds after the deadline are worth waiting."""
        return LAST_WORD_SECONDS if self.on_deadline is OnDeadline.CONTINUE else 0.0

    def goes_on_after(self, response: WorkResponse) -> bool:
        """Whether the deadline ended the request, or was about to, and the caller goes on all the same."""
        if response.error is None or response.error.code != Code.DEADLINE_EXCEEDED:
            return False
        expired, called_off = self.on_deadline is OnDeadline.CONTINUE, self.on_late_eta is OnLateEta.CONTINUE
        match response.status:
            case Status.EXPIRED:
                return expired
            case Status.CANCELLED:
                return called_off
        return False


@dataclass(slots=True, eq=False)
class Doubts:
    """What one acceptance makes of the wait. Implements `runner.bus.caller.Doubts`; `tell` hears of a late one."""

    request: WorkRequest
    patience: Patience
    tell: Hints
    verdict: Verdict = Verdict.GO_ON
    _why: str = ""

    def has(self, accepted: TaskAccepted) -> bool:
        return bool(accepted.constrained) or is_late(accepted, self.request.expires_at, datetime.now(UTC))

    async def settle(self, accepted: TaskAccepted) -> bool:
        if accepted.constrained:
            self.verdict = of_constrained(self.patience.on_constrained)
        if self.verdict is Verdict.GO_ON and is_late(accepted, self.request.expires_at, datetime.now(UTC)):
            expected, left = map(format_duration, (accepted.estimated_completion, self.request.deadline))
            self._why = f"{accepted.provider}/{self.request.task} expects to take {expected}, and has {left}"
            self.tell(TaskProgress(request_id=self.request.request_id, message=self._why))
            self.verdict = of_late(self.patience.on_late_eta, others=False)
        return self.verdict is not Verdict.GO_ON

    def made_of(self, response: WorkResponse, provider: str) -> WorkResponse:
        """The outcome as its caller is told it: why it was called off, where it was."""
        if response.status is not Status.CANCELLED or self.verdict is Verdict.GO_ON:
            return response
        if self.verdict is Verdict.FAIL:
            return constrained(self.request, provider)
        error = WorkError(code=Code.DEADLINE_EXCEEDED, message=f"called off: {self._why}", hint="give it longer")
        return response.model_copy(update={"error": error})


def constrained(request: WorkRequest, provider: str) -> WorkResponse:
    """More wait for the provider than the caller puts up with."""
    message = f"{provider}/{request.task} is constrained: more wait for it than its `backpressure` allows"
    hint = "call again later, or wait: `on_constrained` is `wait` where nothing else is said"
    return failure(request, Code.CAPACITY_CONSTRAINED, message, hint, status=Status.REJECTED)


def _word(name: str, given: str, known: tuple[Word, Word]) -> Word:
    for word in known:
        if given == word:
            return word
    raise UsageProblem(f"there is no {name} {given!r}", hint=" or ".join(f"`{word.value}`" for word in known))
