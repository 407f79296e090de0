"""Taking an ensemble out of service, or bringing it back, and waiting until that is done."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from runner.bus.questions import Questions
from runner.errors import UsageProblem
from runner.reports import DrainReport, EnsembleReport, StatusReport
from runner.subjects import Subjects
from runner.work import EnsembleState

ASK_SECONDS = 10.0
POLL_SECONDS = (0.05, 1.0)
"""First and longest pause between two looks."""

Status = Callable[[], Awaitable[StatusReport]]


async def drained(
    ensemble: str, questions: Questions, subjects: Subjects, status: Status, *, resume: bool
) -> EnsembleReport:
    """How the ensemble is once all runners have done it. Raises UsageProblem for one that nobody has or hosts."""
    _of(ensemble, await status())
    subject = subjects.control(ensemble, "resume" if resume else "drain")
    hosts = [runner for runner in (await status()).runners if ensemble in runner.ensembles]
    answer = await questions.ask(subject, seconds=ASK_SECONDS) if hosts else None
    if answer is None:
        raise UsageProblem(f"no live runner hosts {ensemble}", hint="`run-network status` shows who hosts what")
    told = DrainReport.model_validate_json(answer)
    moving = {EnsembleState.STARTING} if resume else {EnsembleState.READY, EnsembleState.DRAINING}
    if resume and told.state is EnsembleState.STARTING:
        moving.add(EnsembleState.DRAINING)  # one that does not come up is stopped again, and then says why
    patience = told.seconds + ASK_SECONDS
    give_up, pause = datetime.now(UTC) + timedelta(seconds=patience), POLL_SECONDS[0]
    while True:
        await asyncio.sleep(pause)
        report = _of(ensemble, await status())
        if report.state not in moving or datetime.now(UTC) > give_up:
            return report
        pause = min(POLL_SECONDS[1], pause * 1.5)


def _of(ensemble: str, status: StatusReport) -> EnsembleReport:
    """How one ensemble is. Raises UsageProblem for a name that none has."""
    reports = {report.name: report for report in status.ensembles}
    if ensemble not in reports:
        near = difflib.get_close_matches(ensemble, reports, n=1)
        hint = f"did you mean `{near[0]}`?" if near else "`run-network status` lists them"
        raise UsageProblem(f"no ensemble is called {ensemble}", hint=hint)
    return reports[ensemble]
