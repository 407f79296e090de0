# ruff: noqa: E501 - as it is printed
"""How a provider is selected fits together: an affinity has a key that can be made, and only what is discovered a choice."""

from __future__ import annotations

import pytest

from runner.model import Discovery, Selection
from tests.support.sources import codes, read, said

KITCHEN = """\
  kitchen:
    tasks: {cook: {share: [food], steps: [{template: Done.}]}}
"""


def files(uses: str, tags: str = "") -> dict[str, str]:
    return {"network.yaml": f"network: n\n{tags}ensembles:\n  desk:\n    uses: {{{uses}}}\n{KITCHEN}"}


def test_an_affinity_has_a_key_and_nothing_else_does() -> None:
    uses = "a: {discover: cook, select: affinity}, b: {discover: cook, select: random, key: x}"
    assert (
        said(files(uses))
        == """\
network.yaml:4:12: error[missing-key]: `a` says `select: affinity` and names no `key`
  hint: add `key:`, a template such as `"{{ request.from }}"`
network.yaml:4:51: error[conflicting-keys]: `b` has a `key`, and `select: random` goes by none
  hint: say `select: affinity`, or take the `key` out
""".rstrip()
    )


def test_a_key_compiles_and_reads_what_there_is() -> None:
    uses = 'a: {discover: cook, select: affinity, key: "{{ request. }}"}, b: {discover: cook, select: affinity, key: "{{ inptu }}"}'
    text = said(files(uses))
    assert "error[invalid-template]" in text
    assert (
        "network.yaml:4:117: error[unknown-variable]: there is no variable `inptu` here\n  hint: did you mean `input`?"
        in text
    )


@pytest.mark.parametrize("key", ["select: random", "prefer: [food]", "avoid: [food]", "key: x"])
def test_a_named_provider_leaves_nothing_to_choose(key: str) -> None:
    text = said(files(f"a: {{to: kitchen/cook, {key}}}"))
    assert f"`a` has `to` and `{key.partition(':')[0]}`; there is nothing to choose from" in text


def test_preferred_and_avoided_tags_are_in_the_vocabulary() -> None:
    uses = "a: {discover: cook, prefer: [fodo], avoid: [mael]}"
    said_of = [d.message for d in read(files(uses, "tags: {food: meals}\n")).diagnostics]
    assert said_of == ["the tag `fodo` is not in the vocabulary", "the tag `mael` is not in the vocabulary"]


@pytest.mark.parametrize("select", Selection)
def test_every_strategy_is_read_with_its_tags(select: Selection) -> None:
    key = ', key: "{{ input }}"' if select is Selection.AFFINITY else ""
    uses = f"a: {{discover: cook, select: {select}, prefer: [menu], avoid: [food]{key}}}"
    reading = read(files(uses, "tags: {food: {description: meals, aliases: [menu]}}\n"))
    assert reading.network is not None
    assert reading.network.ensembles["desk"].uses["a"].target == Discovery(
        "cook", (), select, prefer=("food",), avoid=("food",), key="{{ input }}" if key else None
    )
    assert codes(reading) == []
