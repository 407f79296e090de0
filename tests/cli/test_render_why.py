"""What `why` says in the end is what becomes of the next request."""

from __future__ import annotations

from runner.cli.render.why import why
from runner.why import CandidateReport, WhyReport
from runner.work import CapabilityType, EnsembleState

TASK, TOOL = CapabilityType.TASK, CapabilityType.TOOL
READY, DEGRADED, GONE = EnsembleState.READY, EnsembleState.DEGRADED, EnsembleState.GONE


def verdict(
    candidate: CandidateReport,
    *,
    kind: str = "discovered",
    fallback: str | None = None,
    fallback_type: CapabilityType | None = None,
    fallback_state: EnsembleState | None = None,
) -> str:
    """The last line, of one candidate, as a running network tells it."""
    target = f"{candidate.provider}/{candidate.capability}" if candidate.eligible else None
    report = WhyReport.model_validate(
        {
            "ensemble": "desk",
            "use": "meal",
            "kind": kind,
            "need": "cook",
            "candidates": (candidate,),
            "chosen": candidate.provider if candidate.eligible else None,
            "target": target,
            "strategy": "first",
            "order": (target,) if target else (),
            "fallback": fallback,
            "fallbackType": fallback_type,
            "fallbackState": fallback_state,
            "runner": "one",
            "generation": 1,
        }
    )
    return why(report, None).splitlines()[-1]


def cook(kind: CapabilityType, state: EnsembleState, *, eligible: bool) -> CandidateReport:
    return CandidateReport(provider="kitchen", eligible=eligible, capability="cook", type=kind, state=state)


def test_a_task_that_is_held_is_not_said_to_go_to_the_fallback() -> None:
    ill = cook(TASK, DEGRADED, eligible=True)
    held = "→ kitchen/cook: kitchen is DEGRADED, and the task waits in its queue"
    assert verdict(ill) == held
    assert verdict(ill, fallback="larder/cook") == f"{held}; where that is full, the fallback larder/cook"


def test_a_named_provider_that_does_not_answer_is_said_to_be_followed() -> None:
    gone = cook(TOOL, GONE, eligible=True)
    assert verdict(gone, kind="static") == "→ kitchen/cook: kitchen is GONE, and does not answer"
    ill = verdict(cook(TOOL, DEGRADED, eligible=True), kind="static", fallback="larder/cook")
    assert ill == "→ kitchen/cook: kitchen is DEGRADED, and refuses calls; then the fallback larder/cook"


def test_a_provider_that_is_well_is_named_alone() -> None:
    assert verdict(cook(TASK, READY, eligible=True)) == "→ kitchen/cook"
    assert verdict(cook(TASK, READY, eligible=True), fallback="larder/cook") == (
        "→ kitchen/cook; then the fallback larder/cook"
    )


def test_a_fallback_is_told_with_how_it_is() -> None:
    ill = cook(TOOL, DEGRADED, eligible=False)
    asked = "→ nobody can be asked: its fallback larder/cook is"
    assert verdict(ill) == "→ nobody can be asked"
    assert verdict(ill, fallback="larder/cook", fallback_type=TOOL, fallback_state=READY) == asked
    assert verdict(ill, fallback="larder/cook", fallback_type=TOOL, fallback_state=DEGRADED) == (
        f"{asked}; larder is DEGRADED, and refuses calls"
    )
    assert verdict(ill, fallback="larder/cook", fallback_type=TASK, fallback_state=GONE) == (
        f"{asked}; larder is GONE, and the task waits in its queue"
    )
