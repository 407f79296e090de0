"""Of ensembles that are removed, those that work which began before may still ask go on for it."""

from __future__ import annotations

import pytest

from runner.host.leaving import still_asked

CALLERS = {
    ("laundry", "wash"): frozenset({"desk", "spa"}),
    ("spa", "relax"): frozenset({"lobby"}),
    ("attic", "store"): frozenset({"attic"}),
}


@pytest.mark.parametrize(
    ("busy", "asked"),
    [
        (set(), set()),
        ({"desk"}, {"laundry"}),
        ({"lobby"}, {"spa", "laundry"}),  # the spa, though idle, may be asked and then ask the laundry
        ({"attic", "laundry"}, set()),
        ({"spa"}, {"laundry"}),
    ],
)
def test_who_is_still_asked(busy: set[str], asked: set[str]) -> None:
    assert still_asked(["attic", "laundry", "spa"], CALLERS, busy.__contains__) == asked
