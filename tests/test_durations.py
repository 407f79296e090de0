from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("5m", 300), ("1h30m", 5400), ("PT30M", 1800), ("P1DT2H", 93600), ("250ms", 0.25), ("2.5s", 2.5)],
)
def test_a_duration_reads_in_both_notations(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "P", "PT", "5", "m", "-5m", "5 m", "1m1h", "P1DT", "999999999d"[:-1] + "h" * 2])
def test_anything_else_is_refused_with_the_forms_that_work(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration: write `30s`, `5m`, `1h30m` or `PT30M`"):
        parse_duration(text)


def test_a_duration_too_long_to_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than any"):
        parse_duration("999999999d999999999h")


@given(st.integers(min_value=0, max_value=10**9))
def test_what_is_formatted_reads_back(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(duration)) == duration
