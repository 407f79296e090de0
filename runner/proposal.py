"""What a client asks a runner to plan or apply, and what it is told: the bodies of `N.control._runners.propose`."""

from __future__ import annotations

from pydantic import Field

from runner.diagnostics import Diagnostic
from runner.payload import Reference
from runner.reports import PlanReport, ProblemReport, Report

PROPOSE = "propose"
"""The verb of the question. The owner of the embedded server answers it, elsewhere the leader."""


class ProposalRequest(Report):
    """Either `package`, the files of a directory, or `generation`, one that is kept.

    Asked twice under one `id` it is one proposal. With `plan` it counts only where that is still the plan.
    """

    id: str
    by: str
    applies: bool
    package: Reference | None = None
    generation: int | None = None
    plan: str | None = None
    references: dict[str, str] = Field(default_factory=dict, repr=False)
    """Of each reference of the files as the client reads it, a digest salted with that of the applied record."""


class ProposalAnswer(Report):
    """`generation` is in force now, `applied` tells if that is what was asked for. With `error` nothing changed."""

    generation: int
    applied: bool = False
    ms: float = 0.0
    plan: PlanReport = PlanReport(hash="", generation=0, steps=(), changes=())
    text: str = ""
    """The plan as people read it."""
    differ: tuple[str, ...] = ()
    """The references that stand for something else where the client runs: here, it is the runner's that count."""
    error: ProblemReport | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
