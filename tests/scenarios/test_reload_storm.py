"""FAULTS 5, 6, 8: saves of every kind, one as soon as the last is in force, under calls at a steady rate.

`benchmarks/reloads.py` does the same with a hundred saves and more calls.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.reloads import look_away, storm_over
from benchmarks.storm import SAVES


async def test_no_call_fails_or_is_lost_and_no_answer_is_of_two_configurations_or_of_one_that_is_past(
    tmp_path: Path,
) -> None:
    outcome = await storm_over(tmp_path, 2 * len(SAVES), 60.0, look_away)
    assert outcome.judge.examples == {}
    assert outcome.judge.answers > 3 * len(SAVES)
    assert len(outcome.judge.seeds) == 1, "a module that nobody edited forgot what it knew"
    assert outcome.moved == (), "an ensemble that was never removed has another connection"
    assert outcome.done.refused == 2 * sum(saving.refused for saving in SAVES)
