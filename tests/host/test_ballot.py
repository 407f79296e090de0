"""When a proposal is carried, as a law."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.host.ballot import BOUND_SECONDS, Ready, Refused, Waiting, verdict

RUNNERS = st.sampled_from(["a", "b", "c", "d"])
SETS = st.frozensets(RUNNERS)
ANSWERS = st.dictionaries(RUNNERS, st.sampled_from([None, "its code fails"]))


@given(asked=SETS, said=ANSWERS, alive=SETS, seconds=st.floats(0, 2 * BOUND_SECONDS))
def test_it_is_carried_exactly_when_everybody_who_lives_is_ready(asked, said, alive, seconds):
    said = {runner: answer for runner, answer in said.items() if runner in asked}
    ready = all(runner in said and said[runner] is None for runner in asked & alive)
    match verdict(asked, said, alive=alive, seconds=seconds):
        case Ready():
            assert ready
        case Waiting(runners):
            assert not ready
            assert seconds < BOUND_SECONDS
            assert set(runners) == (asked & alive) - said.keys()
        case Refused(reasons):
            assert not ready
            assert {runner for runner, _ in reasons} <= asked & alive


@given(asked=SETS, said=ANSWERS, alive=SETS)
def test_it_is_decided_by_the_bound(asked, said, alive):
    assert not isinstance(verdict(asked, said, alive=alive, seconds=BOUND_SECONDS), Waiting)


def test_whoever_is_late_is_named():
    late = f"not ready after {BOUND_SECONDS:g} s"
    assert verdict({"b", "a", "c"}, {"b": None}, alive={"a", "b", "c"}, seconds=BOUND_SECONDS) == Refused(
        (("a", late), ("c", late))
    )
