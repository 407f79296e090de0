# ruff: noqa: E501 - as it is printed
"""A discovered use can be met by somebody."""

from __future__ import annotations

from tests.support.sources import said


def test_nobody_shares_it_is_a_warning() -> None:
    network = """\
network: n
ensembles:
  bar:
    uses: {a: {discover: cok}, b: {discover: cook, tags: [drink]}, c: {tags: [drink, cold]}, d: {discover: cook, tags: [food]}}
  kitchen:
    tasks: {cook: {share: [food], steps: [{template: Done.}]}}
"""
    assert (
        said(network)
        == """\
network.yaml:4:26: warning[no-provider]: no other ensemble shares a capability called `cok`
  hint: did you mean `cook`?
network.yaml:4:46: warning[no-provider]: no other ensemble shares a capability called `cook` with the tag `drink`
  hint: it waits until an ensemble shares one
network.yaml:4:78: warning[no-provider]: no other ensemble shares a capability with the tags `drink` and `cold`
  hint: it waits until an ensemble shares one
""".rstrip()
    )


def test_ones_own_capability_does_not_count() -> None:
    network = """\
network: n
ensembles:
  kitchen:
    uses: {a: {discover: cook}}
    tasks: {cook: {share: true, steps: [{template: Done.}]}}
"""
    assert (
        said(network)
        == """\
network.yaml:4:26: warning[no-provider]: no other ensemble shares a capability called `cook`
  hint: it waits until an ensemble shares one
""".rstrip()
    )


def test_what_an_agent_looks_up_and_nobody_shares_is_a_warning() -> None:
    searches = "{catalog: {name: cok}}, {catalog: {tags: [cold]}}, {catalog: {tags: [meal]}}, {catalog: {name: mix}}"
    network = f"""\
network: n
tags: {{food: {{aliases: [meal]}}, cold: ice}}
models: {{m: [{{provider: scripted, script: s.yaml}}]}}
ensembles:
  bar:
    agents: {{waiter: {{model: m, tools: [{searches}]}}}}
    tasks: {{mix: {{share: [cold], steps: [{{agent: waiter}}]}}}}
  kitchen:
    tasks: {{cook: {{share: [food], steps: [{{template: Done.}}]}}}}
"""
    found = said({"network.yaml": network, "s.yaml": "cases: [{say: Done.}]\n"})
    assert [line for line in found.splitlines() if "no-provider" in line or "hint" in line] == [
        "network.yaml:6:51: warning[no-provider]: no other ensemble shares a capability called `cok`",
        "  hint: did you mean `cook`?",
        "network.yaml:6:75: warning[no-provider]: no other ensemble shares a capability with the tag `cold`",
        "  hint: `waiter` gets no tool by it until an ensemble shares one",
        "network.yaml:6:129: warning[no-provider]: no other ensemble shares a capability called `mix`",
        "  hint: `waiter` gets no tool by it until an ensemble shares one",
    ], "its own do not count, and an alias stands for its tag"


def test_an_unread_ensemble_may_be_the_provider() -> None:
    network = """\
network: n
ensembles:
  bar:
    uses: {a: {discover: bake}}
  bakery: bakery.yaml
"""
    assert (
        said(network)
        == """\
network.yaml:5:11: error[missing-file]: there is no file `bakery.yaml`
""".rstrip()
    )
