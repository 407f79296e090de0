"""`kill -9` of a random runner or of the server during tasks that last longer than the killing: a small game of chaos.

`benchmarks/chaos.py` plays it in earnest, with twenty kills.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.chaos import START_SECONDS, Tally, chaotic, killing
from runner.bus import caller
from runner.work import Placement

KILLS, TASKS = 3, 16


@pytest.mark.parametrize(
    ("runners", "placement"), [(1, Placement.INLINE), (2, Placement.INLINE), (2, Placement.PROCESS)]
)
async def test_nothing_is_lost_nothing_has_two_outcomes_and_everybody_is_answered(
    tmp_path: Path, runners: int, placement: Placement, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In processes of their own, it is also these that are killed."""
    monkeypatch.setattr(caller, "PATIENCE_SECONDS", START_SECONDS)  # busy cores bring a runner up slowly
    async with chaotic(tmp_path, runners, KILLS, TASKS, seed=runners, placement=placement) as chaos:
        tally = await killing(chaos, KILLS, TASKS)
    assert tally.killed.total() == KILLS
    unimportant = {"killed": tally.killed, "worked_again": tally.worked_again}
    assert tally == replace(Tally(accepted=TASKS, done=TASKS, delegated=TASKS // 2), **unimportant)
