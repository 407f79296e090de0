"""FAULTS 5, 6, 8: saves of every kind, one as soon as the last is in force, under calls at a steady rate.

`benchmarks/reloads.py` does the same with a hundred saves and more calls.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.reloads import PLACEMENTS, look_away, storm_over
from benchmarks.storm import SAVES, Judge
from runner.work import Status, WorkResponse


@pytest.mark.parametrize(
    ("placement", "rounds"), [("inline", 2), ("callers", 1), ("providers", 1), ("process", 1)], ids=str
)
async def test_no_call_fails_or_is_lost_and_no_answer_is_of_two_configurations_or_of_one_that_is_past(
    tmp_path: Path, placement: str, rounds: int
) -> None:
    outcome = await storm_over(tmp_path, rounds * len(SAVES), 60.0, look_away, PLACEMENTS[placement], at_once=24)
    assert outcome.judge.examples == {}
    assert outcome.judge.answers > 3 * len(SAVES)
    assert len(outcome.judge.seeds) == 1, "a module that nobody edited forgot what it knew"
    assert outcome.moved == (), "an ensemble that was never removed has another connection"
    assert outcome.done.refused == rounds * sum(saving.refused for saving in SAVES)


@pytest.mark.parametrize(
    ("target", "result", "wrong"),
    [
        ("kitchen/taste", "00004 00004", None),
        ("waiter/serve", "00003 00003 | 00004 00004 00004", None),
        ("kitchen/taste", "00004 00003", "mixed"),
        ("kitchen/cook", "00004 00004 00003", "mixed"),
        ("kitchen/taste", "00002 00002", "older"),
        ("waiter/serve", "00004 00004 | 00003 00003 00003", "older"),
        ("kitchen/taste", "00005 00005", "new"),
        ("kitchen/taste", None, "failed"),
    ],
)
def test_whoever_judges_sees_half_a_configuration_and_one_that_is_past(
    target: str, result: str | None, wrong: str | None
) -> None:
    """Asked for when 3 was in force, and answered when 4 was saved."""
    status = Status.FAILED if result is None else Status.COMPLETED
    judge = Judge()
    judge.judge(target, WorkResponse(request_id="r", status=status, result=result, duration_ms=1.0), 3, 4)
    assert [what for what, count in judge.counts.items() if count] == ([wrong] if wrong else [])
