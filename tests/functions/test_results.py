"""What functions give becomes plain data, or is refused in words."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from enum import IntEnum
from typing import Any

import pytest
from pydantic import JsonValue

from runner.errors import CallFailed
from runner.functions.results import jsonable
from runner.work import Code


class Course(IntEnum):
    MAIN = 2


def nested(depth: int, value: Any) -> Any:
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("result", "plain"),
    [
        (None, None),
        ("🍜", "🍜"),
        (1.5, 1.5),
        (Course.MAIN, 2),
        ((1, {2}), [1, [2]]),
        ((number for number in range(3)), [0, 1, 2]),
        ({"at": date(2026, 1, 2), 3: timedelta(seconds=1)}, {"at": "2026-01-02", "3": "PT1S"}),
        (nested(100, 1), nested(100, 1)),
    ],
)
def test_results_become_plain_data(result: object, plain: JsonValue) -> None:
    assert jsonable(result, "kitchen.py:f") == plain


@pytest.mark.parametrize(
    ("result", "fault"),
    [
        (object(), "Unable to serialize unknown type: <class 'object'>"),
        (b"\xff", "'utf-8' codec can't decode byte 0xff in position 0: invalid utf-8"),
        ("\ud800", "text that is no Unicode: surrogates not allowed (U+D800)"),
        ({"a": ["\ud800"]}, "text that is no Unicode: surrogates not allowed (U+D800)"),
        ({"\ud800": 1}, "'utf-8' codec can't encode character '\\ud800' in position 0: surrogates not allowed"),
        (float("nan"), "the number nan"),
        ({"price": [1.0, float("inf")]}, "the number inf"),
        ([10**4_300], "an integer of thousands of digits"),
        (nested(101, 1), "values nested more than 100 deep"),
        (nested(5_000, 1), "Maximum serialization depth exceeded"),
        (itertools.count(), "an iterator of more than 100,000 items"),
    ],
    ids=lambda given: type(given).__name__,
)
def test_what_json_cannot_carry_is_an_invalid_response(result: object, fault: str) -> None:
    with pytest.raises(CallFailed) as caught:
        jsonable(result, "kitchen.py:f")
    assert caught.value.code == Code.INVALID_RESPONSE
    assert caught.value.message == f"kitchen.py:f gave what JSON cannot carry: {fault}"
