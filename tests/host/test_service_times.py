"""How long calls took lately: a mean that leans to the last ones, and forgets what is not called."""

from __future__ import annotations

from runner.host.service_times import LATELY_SECONDS, MOST_CAPABILITIES, ServiceTimes


def test_the_mean_leans_to_the_last_calls_and_what_is_not_called_is_forgotten() -> None:
    now = [0.0]
    times = ServiceTimes(clock=lambda: now[0])
    times.add("soup", 1.0)
    times.add("soup", 2.0)
    assert times.lately() == {"soup": 1.2}
    now[0] = LATELY_SECONDS / 2
    times.add("tea", 0.5)
    now[0] = LATELY_SECONDS + 1
    assert times.lately() == {"tea": 0.5}


def test_only_so_many_capabilities_are_remembered_those_called_last() -> None:
    times = ServiceTimes(clock=lambda: 0.0)
    for number in range(MOST_CAPABILITIES + 1):
        times.add(f"c{number}", 1.0)
    assert len(times.lately()) == MOST_CAPABILITIES
    assert "c0" not in times.lately()
