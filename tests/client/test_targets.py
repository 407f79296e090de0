"""Whom a call is for, as a table: what is asked for, and who is asked, or why nobody can be."""

from __future__ import annotations

import pytest

from runner.client.targets import Missing, Target, resolve
from runner.errors import UsageProblem
from runner.reports import CatalogEntry
from runner.work import Authority, CapabilityType, Code, EnsembleState


def entry(target: str, *tags: str, status: EnsembleState = EnsembleState.READY) -> CatalogEntry:
    provider, _, name = target.partition("/")
    return CatalogEntry(
        name=name,
        type=CapabilityType.TASK,
        provider=provider,
        tags=tags,
        authority=Authority.AUTONOMOUS,
        status=status,
        load=0.0,
    )


CATALOG = (
    entry("kitchen/check-inventory", "food", "stock"),
    entry("kitchen/prepare-meal", "food"),
    entry("maintenance/repair-status", "repair", status=EnsembleState.STOPPED),
    entry("procurement/check-inventory", "stock", "parts"),
    entry("spa/check-inventory", "wellness", status=EnsembleState.DRAINING),
    entry("workshop/repair-status", "repair", "parts"),
)
COMMON_HINT = "`run-network catalog` shows what is on offer"


@pytest.mark.parametrize(
    ("asked", "tags", "found"),
    [
        ("kitchen/prepare-meal", (), "kitchen/prepare-meal"),
        ("procurement/check-inventory", (), "procurement/check-inventory"),
        ("procurement/check-inventory", ("parts",), "procurement/check-inventory"),
        ("maintenance/repair-status", (), "maintenance/repair-status"),  # named, it is asked whatever its state
        ("prepare-meal", (), "kitchen/prepare-meal"),
        ("check-inventory", (), "kitchen/check-inventory"),  # the first of several
        ("check-inventory", ("parts",), "procurement/check-inventory"),
        ("check-inventory", ("stock", "parts"), "procurement/check-inventory"),
        ("repair-status", (), "workshop/repair-status"),  # the first is down
    ],
)
def test_who_is_asked(asked: str, tags: tuple[str, ...], found: str) -> None:
    entry = resolve(Target.parse(asked, tags), CATALOG)
    assert isinstance(entry, CatalogEntry)
    assert f"{entry.provider}/{entry.name}" == found


@pytest.mark.parametrize(
    ("asked", "tags", "code", "message", "hint"),
    [
        (
            "kitchen/prepare-meel",
            (),
            Code.UNKNOWN_CAPABILITY,
            "nobody shares kitchen/prepare-meel",
            "did you mean `kitchen/prepare-meal`?",
        ),
        (
            "check-inventry",
            (),
            Code.UNKNOWN_CAPABILITY,
            "nobody shares check-inventry",
            "did you mean `check-inventory`?",
        ),
        ("valet/park", (), Code.UNKNOWN_CAPABILITY, "nobody shares valet/park", COMMON_HINT),
        (
            "kitchen/check-inventory",
            ("parts",),
            Code.UNKNOWN_CAPABILITY,
            "nobody shares kitchen/check-inventory [parts]",
            None,
        ),
        (
            "check-inventory",
            ("wellness",),
            Code.NO_PROVIDER,
            "no live provider for check-inventory [wellness]",
            "spa is DRAINING: see `run-network status`",
        ),
        ("check-inventory", ("food", "parts"), Code.UNKNOWN_CAPABILITY, None, None),
    ],
)
def test_why_nobody_can_be_asked(
    asked: str, tags: tuple[str, ...], code: Code, message: str | None, hint: str | None
) -> None:
    missing = resolve(Target.parse(asked, tags), CATALOG)
    assert isinstance(missing, Missing)
    assert missing.code is code
    assert message in (None, missing.message)
    assert hint in (None, missing.hint)


def test_every_state_is_told_where_nobody_is_ready() -> None:
    catalog = [entry("a/fix", status=EnsembleState.STARTING), entry("b/fix", status=EnsembleState.FAILED)]
    assert resolve(Target.parse("fix"), catalog) == Missing(
        Code.NO_PROVIDER,
        "no live provider for fix",
        "a is STARTING, b is FAILED: see `run-network status`",
    )


def test_nothing_is_found_in_an_empty_catalog() -> None:
    assert resolve(Target.parse("fix"), ()) == Missing(Code.UNKNOWN_CAPABILITY, "nobody shares fix", COMMON_HINT)


NO_TARGETS = (
    *("", "/", "kitchen/", "/cook", "a/b/c", "kitchen//cook"),
    *("Kitchen/cook", "kitchen/Cook", "küche/kochen", "_cli/x", "1st", "a" * 64),
    *("kitchen.cook", "kitchen/*", ">", "kitchen cook", "kitchen/cook\n"),
)


@pytest.mark.parametrize("text", NO_TARGETS)
def test_what_is_no_target_is_the_callers_mistake(text: str) -> None:
    with pytest.raises(UsageProblem, match="is no target") as raised:
        Target.parse(text)
    assert raised.value.hint == "say `ensemble/capability`, or a capability to discover"


@pytest.mark.parametrize(
    ("text", "tags", "shown"),
    [("kitchen/cook", (), "kitchen/cook"), ("cook", ("a", "b"), "cook [a, b]"), ("a/b", ["c"], "a/b [c]")],
)
def test_a_target_is_shown_as_it_was_asked_for(text: str, tags: tuple[str, ...], shown: str) -> None:
    assert str(Target.parse(text, tags)) == shown


def test_a_constrained_provider_is_passed_over_while_there_are_others() -> None:
    def found(*constrained: str) -> str:
        catalog = tuple(e.model_copy(update={"constrained": e.provider in constrained}) for e in CATALOG)
        entry = resolve(Target.parse("check-inventory"), catalog)
        assert isinstance(entry, CatalogEntry)
        return entry.provider

    assert (found(), found("kitchen"), found("kitchen", "procurement")) == ("kitchen", "procurement", "kitchen")
