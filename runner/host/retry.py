"""A step tried again: what is worth it, and how long to wait before. Full jitter, after Marc Brooker's "Exponential
Backoff And Jitter"."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from pydantic import JsonValue

from runner.assignment import attempted
from runner.errors import CallFailed, Refused
from runner.functions.raised import described
from runner.host.step_ends import OnStep, StepStatus
from runner.model import AnyStep, Retry
from runner.steps.scope import Scope
from runner.steps.table import run_step
from runner.templates import TemplateProblem
from runner.work import Code

Chance = Callable[[], float]
"""A number from 0 to 1, 1 excluded."""

_MAX_DOUBLINGS = 32
_LASTING = frozenset(
    {
        Code.AUTHORITY_EXCEEDED,
        Code.CANCELLED,
        Code.DELEGATION_CYCLE,
        Code.DOCUMENT_MISSING,
        Code.HOPS_EXCEEDED,
        Code.INVALID_INPUT,
        Code.INVALID_REQUEST,
        Code.NOT_WIRED,
        Code.NOT_YET_SUPPORTED,
        Code.PAYLOAD_TOO_LARGE,
        Code.REFUSED,
        Code.REVIEW_UNAVAILABLE,
        Code.TEMPLATE_FAILED,
        Code.TOO_MANY_ITEMS,
    }
)
"""What the same request would meet again, and what somebody decided."""


async def with_retries(step: AnyStep, scope: Scope, on_step: OnStep, chance: Chance) -> JsonValue:
    """Run a step, again where it failed for a time and the deadline leaves room. Raises what the last attempt did."""
    retry = step.retry
    if retry is None:
        return await run_step(step, scope)
    number = 1
    while True:
        started_at, started = datetime.now(UTC), time.perf_counter()
        try:
            return await run_step(step, scope.at_attempt(number))
        except Exception as error:
            wait = pause(retry, number, chance)
            late = wait >= (scope.assignment.deadline - datetime.now(UTC)).total_seconds()
            if number >= retry.attempts or late or not is_transient(error):
                raise
            message = f"attempt {number} of {retry.attempts}: {described(error)}"
        place = (*scope.place, attempted(number))
        on_step(place, started_at, (time.perf_counter() - started) * 1000, StepStatus.RETRYING, message)
        await scope.assignment.pause(wait)
        number += 1


def is_transient(error: Exception) -> bool:
    """Whether the same step may come to another end."""
    match error:
        case Refused() | TemplateProblem():
            return False
        case CallFailed():
            return str(error.code) not in _LASTING
        case _:
            return True


def pause(retry: Retry, attempt: int, chance: Chance) -> float:
    """How many seconds to wait after an attempt, counted from 1: up to the backoff, doubled with every attempt."""
    longest: float = retry.backoff.total_seconds() * 2 ** min(attempt - 1, _MAX_DOUBLINGS)
    return longest * chance()
