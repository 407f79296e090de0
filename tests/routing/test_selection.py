"""Which provider each strategy picks, and who comes after it."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model import Selection
from runner.offer import Offer
from runner.routing.selection import STRATEGIES
from runner.routing.strategy import Occasion
from tests.support.offers import offer

NAMES = ("a", "b", "c")


def picked(select: Selection, offers: list[Offer], **occasion: object) -> str:
    return STRATEGIES[select](offers, Occasion(**{"chance": random.Random(7), **occasion})).provider


def test_every_selection_has_a_strategy():
    assert set(STRATEGIES) == set(Selection)


def test_round_robin_takes_turns_and_first_does_not():
    offers = [offer(name) for name in NAMES]
    turns = {
        select: [picked(select, offers, turn=turn) for turn in range(4)]
        for select in (Selection.FIRST, Selection.ROUND_ROBIN)
    }
    assert turns == {Selection.FIRST: ["a", "a", "a", "a"], Selection.ROUND_ROBIN: ["a", "b", "c", "a"]}


def test_random_comes_to_everybody_about_as_often():
    chance, offers = random.Random(7), [offer(name) for name in NAMES]
    found = Counter(picked(Selection.RANDOM, offers, chance=chance) for _ in range(3000))
    assert all(900 < found[name] < 1100 for name in NAMES)


def test_least_loaded_never_takes_the_busiest_of_all():
    """Two are drawn, and the busier one is not taken; what waits counts as what is worked on does."""
    offers = [offer("a", busy=1), offer("b", busy=1, waiting=9), offer("c", busy=3)]
    found = {picked(Selection.LEAST_LOADED, offers, chance=random.Random(seed)) for seed in range(100)}
    assert found == {"a", "c"}


def test_least_loaded_goes_by_slots_and_by_what_was_asked_since_the_last_beat():
    assert picked(Selection.LEAST_LOADED, [offer("a", busy=2, slots=2), offer("b", busy=3, slots=8)]) == "b"
    offers = [offer("a"), offer("b")]
    assert picked(Selection.LEAST_LOADED, offers, asked={"a": 1}) == "b"
    assert picked(Selection.LEAST_LOADED, offers, asked={"b": 1}) == "a"


def test_the_fastest_the_cheapest_and_the_cheapest_in_time():
    slow = offer("slow", seconds=9, cost=1)
    fast = offer("fast", seconds=1, cost=5)
    fair = offer("fair", seconds=3, cost=3)
    offers = [fair, fast, slow]
    assert picked(Selection.LOWEST_LATENCY, offers) == "fast"
    assert picked(Selection.LOWEST_COST, offers) == "slow"
    in_time = {left: picked(Selection.MEETS_DEADLINE, offers, seconds_left=left) for left in (60.0, 5.0, 2.0, 0.5)}
    assert in_time == {60.0: "slow", 5.0: "fair", 2.0: "fast", 0.5: "fast"}


def test_a_queue_makes_a_provider_late():
    offers = [offer("busy", seconds=2, busy=4, waiting=40, cost=1), offer("idle", seconds=4, cost=2)]
    assert picked(Selection.MEETS_DEADLINE, offers, seconds_left=10.0) == "idle"
    assert picked(Selection.MEETS_DEADLINE, offers, seconds_left=60.0) == "busy"


def test_what_is_not_known_is_tried_for_its_speed_and_not_for_its_price():
    unknown, known = offer("unknown"), offer("known", seconds=1, cost=1)
    assert picked(Selection.LOWEST_LATENCY, [known, unknown]) == "unknown"
    assert picked(Selection.LOWEST_COST, [known, unknown]) == "known"
    assert picked(Selection.MEETS_DEADLINE, [known, unknown], seconds_left=5.0) == "known"
    assert picked(Selection.MEETS_DEADLINE, [known, unknown], seconds_left=0.5) == "unknown"


@pytest.mark.parametrize("select", Selection)
@given(
    names=st.sets(st.sampled_from("abcdefgh"), min_size=1),
    seed=st.integers(0, 99),
    turn=st.integers(0, 99),
    key=st.text(max_size=9),
)
def test_a_strategy_picks_one_of_those_it_was_given_and_the_same_again(
    select: Selection, names: set[str], seed: int, turn: int, key: str
):
    offers = [offer(name, busy=ord(name) % 5, seconds=ord(name) % 3, cost=ord(name) % 4) for name in sorted(names)]
    again = [picked(select, offers, chance=random.Random(seed), turn=turn, key=key) for _ in range(2)]
    assert again[0] in names
    assert again[0] == again[1]


@given(names=st.sets(st.from_regex(r"[a-z]{1,5}", fullmatch=True), min_size=2, max_size=12), key=st.text(max_size=20))
def test_a_key_only_moves_when_its_own_provider_leaves(names: set[str], key: str):
    offers = [offer(name) for name in sorted(names)]
    home = picked(Selection.AFFINITY, offers, key=key)
    for gone in names - {home}:
        left = [one for one in offers if one.provider != gone]
        assert picked(Selection.AFFINITY, left, key=key) == home


@pytest.mark.parametrize("count", [2, 3, 4, 10])
def test_under_two_nths_of_the_keys_move_when_one_of_n_providers_leaves(count: int):
    """They are those of the one who left, and spread over all that stay."""
    offers = [offer(f"kitchen-{number}") for number in range(count)]
    keys = [f"guest {number}" for number in range(2000)]
    before = {key: picked(Selection.AFFINITY, offers, key=key) for key in keys}
    after = {key: picked(Selection.AFFINITY, offers[1:], key=key) for key in keys}
    moved = [key for key in keys if after[key] != before[key]]
    assert 0 < len(moved) < len(keys) * 2 / count
    assert {before[key] for key in moved} == {"kitchen-0"}
    assert {after[key] for key in moved} == {one.provider for one in offers[1:]}
