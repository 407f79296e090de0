"""Laws of health: who is ill, who is well again, and how long one that comes and goes is held down."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.routing.damping import HALF_LIFE_SECONDS, LONGEST_HOLD_SECONDS, Wellness, checked

FAILURES = 3
outcomes = st.lists(st.tuples(st.booleans(), st.floats(0.1, 300.0)), max_size=60)


def after(found: list[tuple[bool, float]], failures: int = FAILURES) -> list[Wellness]:
    """What each check came to; each so many seconds after the last."""
    told, now = [Wellness()], 0.0
    for ok, seconds in found:
        now += seconds
        told.append(checked(told[-1], ok=ok, now=now, failures=failures))
    return told[1:]


@given(outcomes)
def test_only_so_many_failures_in_a_row_make_it_ill_and_a_failure_never_makes_it_well(
    found: list[tuple[bool, float]],
) -> None:
    was_ill = False
    for index, (told, (ok, _)) in enumerate(zip(after(found), found, strict=True)):
        if told.ill and not was_ill:
            assert [one for one, _ in found[index - FAILURES + 1 : index + 1]] == [False] * FAILURES
        if was_ill and not told.ill:
            assert ok
        was_ill = told.ill


@given(outcomes)
def test_whatever_happened_it_is_well_after_the_longest_hold_and_a_success(found: list[tuple[bool, float]]) -> None:
    assert not after([*found, (True, LONGEST_HOLD_SECONDS + 1)])[-1].ill


@given(st.integers(1, 12))
def test_each_time_that_it_comes_and_goes_it_is_held_for_longer(flaps: int) -> None:
    held = []
    told, now = Wellness(), 0.0
    for _ in range(flaps):
        now += 1.0
        told = checked(told, ok=False, now=now, failures=1)
        held.append(told.held_seconds(now))
        now += told.held_seconds(now) + 0.001
        told = checked(told, ok=True, now=now, failures=1)
        assert not told.ill
    assert held[:2] == [0.0, 0.0][:flaps], "whoever falls ill once or twice is well with the first success"
    assert all(seconds <= LONGEST_HOLD_SECONDS for seconds in held)


def test_one_that_comes_and_goes_is_held_down_for_longer_and_longer() -> None:
    told, now, held = Wellness(), 0.0, []
    for _ in range(5):
        told = checked(told, ok=False, now=now, failures=1)
        held.append(round(told.held_seconds(now)))
        told = checked(Wellness(0, False, False, told.penalty, told.at), ok=True, now=now, failures=1)  # at once
    assert held == [0, 0, 120, 145, 164]


def test_a_success_while_it_is_held_does_not_make_it_well() -> None:
    flapping = [(False, 1.0), (True, 1.0)] * 2 + [(False, 1.0)]
    *_, last = after([*flapping, (True, 5.0)], failures=1)
    assert (last.ill, last.held) == (True, True)
    assert not after([*flapping, (True, 5.0), (True, 2 * HALF_LIFE_SECONDS)], failures=1)[-1].ill
