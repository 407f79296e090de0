"""A value is sound exactly where it can be written down, sent, and read back as it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from runner.soundness import MAX_DEPTH, cleaned, unsound
from runner.work import WorkRequest
from tests.support.assignments import a_request

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda parts: st.lists(parts) | st.dictionaries(st.text(), parts))


def nested(depth: int, value: Any = "x") -> JsonValue:
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value  # type: ignore[no-any-return]


def carried(value: JsonValue) -> JsonValue:
    """The value as the other side reads it."""
    request = a_request({"value": value})
    read = WorkRequest.model_validate_json(request.encode()).context
    assert isinstance(read, dict)
    return read["value"]


@given(VALUES)
def test_what_is_sound_is_read_back_as_it_was(value: JsonValue) -> None:
    assert unsound(value) is None
    assert carried(value) == value


@pytest.mark.parametrize("value", [nested(MAX_DEPTH), 10**3_900, "🍜", {"🍜": "é"}, -0.0, ""])
def test_the_outermost_bounds_are_read_back_too(value: JsonValue) -> None:
    assert unsound(value) is None
    assert carried(value) == value


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("\ud800", "text that is no Unicode: surrogates not allowed (U+D800)"),
        (float("nan"), "the number nan"),
        (float("-inf"), "the number -inf"),
        ([10**4_300], "an integer of thousands of digits"),
        ((1, 2), "a value that is no JSON but a tuple"),
        ({1: 2}, "the key 1, which is no text"),
        ({"\udfff": 2}, "text that is no Unicode: surrogates not allowed (U+DFFF)"),
        (nested(MAX_DEPTH + 1), "values nested more than 100 deep"),
        (nested(100_000), "values nested more than 100 deep"),
    ],
)
def test_what_is_unsound_is_named_however_deep_it_lies(value: Any, fault: str) -> None:
    assert unsound(value) == fault
    for around in ({"fine": 1, "here": value}, ["fine", value]):
        assert unsound(around) == fault


def test_a_value_that_contains_itself_comes_to_an_end() -> None:
    endless: list[Any] = []
    endless += [endless, endless]
    assert unsound(endless) == "values nested more than 100 deep"


@given(st.text(st.characters()))
def test_cleaned_text_can_be_written_down_and_is_left_alone_the_second_time(text: str) -> None:
    cleaned(text).encode()
    assert cleaned(cleaned(text)) == cleaned(text)
    assert cleaned(text).isprintable() or not text.isprintable()


def test_cleaning_keeps_lines_and_tabs_and_takes_the_teeth_out_of_escapes() -> None:
    assert cleaned("a\r\nb\tc\x1b[2J\x9b\x00\ud800é🍜") == "a\nb\tc�[2J���é🍜"
