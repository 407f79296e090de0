"""What follows from a value that never changes is found once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.same import MOST, MOST_BETWEEN_TURNS, InUse, found_once


def test_it_is_found_once_for_each_value_also_for_one_that_equals_another() -> None:
    asked: list[list[int]] = []

    @found_once
    def total(numbers: list[int]) -> int:
        asked.append(numbers)
        return sum(numbers)

    one, other = [1, 2], [1, 2]
    assert [total(one), total(other), total(one), total(other)] == [3, 3, 3, 3]
    assert [id(numbers) for numbers in asked] == [id(one), id(other)]


def test_what_is_older_than_the_last_few_is_let_go_of_and_found_again() -> None:
    asked: list[object] = []

    @found_once
    def itself(value: list[int]) -> list[int]:
        asked.append(value)
        return value

    values = [[number] for number in range(MOST + 1)]
    assert [itself(value) for value in (*values, *values)] == [*values, *values]
    assert asked == [*values, *values]


@given(st.lists(st.sets(st.integers(0, 9)), max_size=12))
def test_what_every_configuration_asks_for_is_found_once_and_what_is_edited_away_is_let_go_of(
    configurations: list[set[int]],
) -> None:
    asked: list[int] = []
    double = InUse(lambda number: (asked.append(number), number * 2)[1])
    earlier: set[int] = set()
    for wanted in configurations:
        asked.clear()
        assert [double(number) for number in wanted] == [number * 2 for number in wanted]
        assert set(asked) == wanted - earlier
        double.turn()
        assert len(double) == len(wanted)
        earlier = wanted


def test_what_older_work_still_asks_for_stays() -> None:
    asked: list[str] = []
    text = InUse(lambda name: (asked.append(name), name.upper())[1])
    for _ in range(5):
        text("old")
        text("new")
        text.turn()
    assert asked == ["old", "new"]


def test_callers_that_make_up_values_do_not_fill_it() -> None:
    double = InUse(lambda number: number * 2)
    for number in range(4 * MOST_BETWEEN_TURNS):
        double(number)
    assert len(double) <= 2 * MOST_BETWEEN_TURNS
