"""Asking why a use goes where it goes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from runner.errors import UsageProblem
from runner.why import WhyAnswer, WhyReport, WhyRequest


async def explained(asked: WhyRequest, ask: Callable[[str, bytes], Awaitable[bytes]]) -> WhyReport:
    """What a runner answers. Raises UsageProblem for an ensemble or a use that there is not, NotRunning."""
    answer = WhyAnswer.model_validate_json(await ask("why", asked.model_dump_json().encode()))
    if answer.report is not None:
        return answer.report
    problem = answer.error
    raise UsageProblem(problem.message if problem else "there is no answer", hint=problem.hint if problem else None)
