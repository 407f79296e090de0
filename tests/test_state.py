"""`.run-network/`, the state beside a network file."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from runner.state import RunningNetwork, State
from runner.work import Priority

RUNNERS, TIMES = 8, 50


def test_runners_that_announce_at_once_do_not_trip_over_each_other(tmp_path: Path) -> None:
    """Clients read one whole announcement, whichever was last, and others cannot read it."""
    state = State(tmp_path)
    state.prepare()
    said = RunningNetwork("inn", ("nats://127.0.0.1:4222",), 1, True, 60.0, Priority.NORMAL, "a seed")

    def announce(pid: int) -> None:
        for _ in range(TIMES):
            state.announce(replace(said, pid=pid))
            assert state.running() is not None

    with ThreadPoolExecutor(RUNNERS) as runners:
        list(runners.map(announce, range(RUNNERS)))
    assert state.running() in [replace(said, pid=pid) for pid in range(RUNNERS)]
    assert [path.name for path in tmp_path.glob("connection*")] == ["connection.json"]
    assert stat.S_IMODE((tmp_path / "connection.json").stat().st_mode) == 0o600
