"""What an acceptance may make a caller doubt: too many wait before its task, or it will be done too late. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from runner.model import OnConstrained, OnLateEta
from runner.work import TaskAccepted


class Verdict(Enum):
    """What becomes of a task that its provider has just accepted."""

    GO_ON = "go on"
    FAIL = "call it off, and fail"
    FALLBACK = "call it off, and ask the fallback"
    OTHER_PROVIDER = "call it off, and ask another provider"
    CONTINUE = "call it off, and go on without"


def is_late(accepted: TaskAccepted, expires_at: datetime, now: datetime) -> bool:
    """Whether the provider expects to be done after the deadline. Where it measured nothing yet, nothing is known."""
    return accepted.estimated_completion > timedelta(0) and now + accepted.estimated_completion > expires_at


def of_constrained(on_constrained: OnConstrained) -> Verdict:
    match on_constrained:
        case OnConstrained.WAIT:
            return Verdict.GO_ON
        case OnConstrained.FAIL:
            return Verdict.FAIL
        case OnConstrained.FALLBACK:
            return Verdict.FALLBACK


def of_late(on_late_eta: OnLateEta, *, others: bool) -> Verdict:
    """`others`: somebody else could be asked. Where nobody can, the task stays where it is."""
    match on_late_eta:
        case OnLateEta.ACCEPT:
            return Verdict.GO_ON
        case OnLateEta.OTHER_PROVIDER:
            return Verdict.OTHER_PROVIDER if others else Verdict.GO_ON
        case OnLateEta.CONTINUE:
            return Verdict.CONTINUE
