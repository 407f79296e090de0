"""Did you mean."""

from __future__ import annotations

from runner.config.suggest import closest, did_you_mean, listed


def test_the_closest_name_is_named() -> None:
    assert did_you_mean("kitchn", ["bar", "kitchen"]) == "did you mean `kitchen`?"


def test_case_does_not_count() -> None:
    assert closest("NORMAL", ["normal", "low"]) == "normal"


def test_a_few_names_are_listed_where_none_is_close() -> None:
    assert did_you_mean("x", ["c", "a", "b"]) == "there are `a`, `b` and `c`"
    assert did_you_mean("x", ["abc"]) == "there is `abc`"
    assert did_you_mean("x", []) is None


def test_what_else_to_do_goes_before_a_list() -> None:
    assert did_you_mean("x", ["abc"], otherwise="add it") == "add it"


def test_among_very_many_names_only_case_is_forgiven() -> None:
    many = [f"name-{number}" for number in range(1000)]
    assert closest("NAME-7", many) == "name-7"
    assert closest("nome-7", many) is None


def test_listed() -> None:
    assert listed(["a"]) == "`a`"
    assert listed(["a", "b"], joint="or") == "`a` or `b`"
