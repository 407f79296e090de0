"""`kill -9` of a random runner or of the server during tasks that last longer than the killing: a small game of chaos.

`benchmarks/chaos.py` plays it in earnest, with twenty kills.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.chaos import Tally, chaotic, killing

KILLS, TASKS = 3, 16


@pytest.mark.parametrize("runners", [1, 2])
async def test_nothing_is_lost_nothing_has_two_outcomes_and_everybody_is_answered(tmp_path: Path, runners: int) -> None:
    async with chaotic(tmp_path, runners, KILLS, TASKS, seed=runners) as chaos:
        tally = await killing(chaos, KILLS, TASKS)
    assert tally.killed.total() == KILLS
    unimportant = {"killed": tally.killed, "worked_again": tally.worked_again}
    assert tally == replace(Tally(accepted=TASKS, done=TASKS, delegated=TASKS // 2), **unimportant)
