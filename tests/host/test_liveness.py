"""A runner is dead after three missed beats, judged only while the judge hears its own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.host.liveness import DEAD_SECONDS, Liveness


def judge() -> Liveness:
    """`me`, which has heard itself and `other` at second 0."""
    liveness = Liveness("me")
    liveness.heard("me", 0.0)
    liveness.heard("other", 0.0)
    return liveness


def test_a_runner_that_beats_is_alive_and_one_that_missed_three_is_not() -> None:
    liveness = judge()
    for second in range(1, 4):
        assert liveness.alive("other", second - 0.01)
        liveness.heard("me", second)
    assert not liveness.alive("other", 3.0)
    assert liveness.live(3.0) == frozenset()
    liveness.heard("other", 3.5)
    assert liveness.live(3.6) == {"other"}


def test_one_is_alive_to_oneself() -> None:
    assert Liveness("me").alive("me", 1e9)


def test_a_judge_that_does_not_hear_itself_judges_nobody() -> None:
    assert judge().alive("other", 1_000.0)


def test_after_being_cut_off_the_judge_gives_everybody_it_held_for_alive_three_beats() -> None:
    liveness = judge()
    liveness.heard("me", 60.0)
    assert liveness.alive("other", 60.0)
    for second in (61.0, 62.0, 63.0):
        liveness.heard("me", second)
    assert not liveness.alive("other", 63.0)


def test_one_lost_beat_of_its_own_is_enough_for_the_judge_to_give_everybody_three_beats() -> None:
    """A server that was away for a second loses a beat of everybody's: nobody is dead for that."""
    liveness = judge()
    liveness.heard("me", 2.0)
    assert liveness.alive("other", 3.0)
    liveness.heard("me", 3.0)
    assert liveness.alive("other", 4.0)


def test_who_was_dead_before_the_judge_was_cut_off_stays_dead_after() -> None:
    liveness = judge()
    for second in (1.0, 2.0, 3.0, 4.0):
        liveness.heard("me", second)
    assert not liveness.alive("other", 4.0)
    liveness.heard("me", 60.0)
    assert not liveness.alive("other", 60.0)


def test_a_runner_that_was_only_mentioned_has_three_beats_from_then() -> None:
    liveness = judge()
    assert not liveness.alive("third", 0.5)
    liveness.mention("third", 0.5)
    liveness.mention("third", 3.0)
    for second in (1.0, 2.0, 3.0, 4.0):
        assert liveness.alive("third", min(second, 3.4))
        liveness.heard("me", second)
    assert not liveness.alive("third", 4.0)


def test_before_it_hears_anything_at_all_the_judge_holds_for_alive_whom_it_knows_of() -> None:
    liveness = Liveness("me")
    liveness.mention("other", 0.0)
    assert liveness.alive("other", 100.0)
    liveness.heard("me", 100.0)
    assert liveness.alive("other", 100.0)


def test_a_runner_that_said_goodbye_is_gone_at_once_and_a_mention_does_not_bring_it_back() -> None:
    liveness = judge()
    liveness.leave("other")
    liveness.mention("other", 0.1)
    assert not liveness.alive("other", 0.1)
    liveness.heard("other", 0.2)
    assert liveness.alive("other", 0.2)


@given(st.lists(st.tuples(st.sampled_from(["me", "other"]), st.floats(0.0, 1.5)), max_size=40), st.floats(0.0, 10.0))
def test_nobody_dies_in_less_than_three_beats_of_silence(beats: list[tuple[str, float]], later: float) -> None:
    liveness, now, last = judge(), 0.0, 0.0
    for runner, pause in beats:
        now += pause
        liveness.heard(runner, now)
        last = now if runner == "other" else last
    now += later
    assert liveness.alive("other", now) or now - last >= DEAD_SECONDS


@given(st.lists(st.floats(0.1, 1.0), min_size=1, max_size=20))
def test_who_is_silent_while_the_judge_hears_itself_is_dead_after_three_beats(pauses: list[float]) -> None:
    liveness, now = judge(), 0.0
    for pause in pauses:
        now += pause
        liveness.heard("me", now)
    assert liveness.alive("other", now) == (now < DEAD_SECONDS)
