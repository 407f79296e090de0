"""What follows from a value that never changes is found once."""

from __future__ import annotations

from runner.same import MOST, found_once


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
