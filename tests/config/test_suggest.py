"""Did you mean."""

from __future__ import annotations

import pytest

from runner.config.suggest import closest, closest_variable, did_you_mean, listed


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


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("CHEF_TOKN", "CHEF_TOKEN"),
        ("CHEF_TOKENS", "CHEF_TOKEN"),
        ("ERP_ULR", "ERP_URL"),
        ("LLMBASE_URL", "LLM_BASE_URL"),
        ("chef_token", "CHEF_TOKEN"),
        ("KITCHN2_TOKEN", "KITCHEN2_TOKEN"),
    ],
)
def test_a_slip_in_the_name_of_a_variable_is_seen(name: str, known: str) -> None:
    assert closest_variable(name, ["HOME", "PATH", known, "TERM"]) == known


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("SPA_TOKEN", "BAR_TOKEN"),
        ("KITCHEN_TOKEN", "CHICKEN_TOKEN"),
        ("KEY_1", "KEY_2"),
        ("API_KEY1", "API_KEY2"),
        ("LLM_MODEL", "LLM_MODE_LOG"),
        ("ERP_URL", "URL"),
        ("CHEF_TOKEN", "GITHUB_TOKEN"),
        ("PORT", "PWD"),
        ("SHELF", "SHLVL"),
    ],
)
def test_a_variable_that_only_looks_alike_is_not_suggested(name: str, known: str) -> None:
    assert closest_variable(name, [known]) is None


def test_nothing_is_suggested_of_an_empty_environment() -> None:
    assert closest_variable("CHEF_TOKEN", []) is None
