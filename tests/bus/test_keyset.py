from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.bus.keyset import KeySet


@given(st.sets(st.text(min_size=1), max_size=200))
def test_what_was_added_is_never_denied(keys: set[str]):
    known = KeySet()
    for key in keys:
        known.add(key)
    assert all(known.may_hold(key) for key in keys)


def test_what_was_not_added_is_almost_always_denied():
    known = KeySet()
    for number in range(10_000):
        known.add(f"_cli.{number}")
    assert sum(known.may_hold(f"_cli.x{number}") for number in range(10_000)) < 10
