# ruff: noqa: E501 - as it is printed
"""How a use goes on can be done: it has the fallback it turns to, and what it does not wait for is a task."""

from __future__ import annotations

from tests.support.sources import said

KITCHEN = """\
  kitchen:
    tools: {count: {python: "inn:count", share: true}}
    tasks: {cook: {share: true, steps: [{template: Done.}]}}
"""


def spoken(uses: str) -> str:
    text = f"network: n\nensembles:\n  desk:\n    uses: {{{uses}}}\n{KITCHEN}"
    return said({"network.yaml": text, "inn.py": "def count(text: str) -> int: ..."})


def test_what_is_not_waited_for_is_a_task() -> None:
    uses = "a: {to: kitchen/count, mode: async}, b: {to: kitchen/cook, mode: async, fallback: kitchen/count}"
    assert (
        spoken(uses)
        == """\
network.yaml:4:20: error[async-tool]: `kitchen/count` is a tool, and a tool answers whoever waits
  hint: take `mode: async` out, or name a task
network.yaml:4:94: error[async-tool]: `kitchen/count` is a tool, and a tool answers whoever waits
  hint: take `mode: async` out, or name a task
""".rstrip()
    )


def test_who_turns_to_a_fallback_names_one() -> None:
    uses = "a: {to: kitchen/cook, on_deadline: fallback}, b: {to: kitchen/cook, on_constrained: fallback}"
    assert (
        spoken(uses)
        == """\
network.yaml:4:12: error[missing-key]: `a` says `on_deadline: fallback` and names no `fallback`
  hint: add `fallback: ensemble/capability`, the provider to turn to
network.yaml:4:58: error[missing-key]: `b` says `on_constrained: fallback` and names no `fallback`
  hint: add `fallback: ensemble/capability`, the provider to turn to
""".rstrip()
    )


def test_every_way_to_go_on_is_read_without_a_word() -> None:
    uses = (
        "a: {to: kitchen/cook, mode: async, deadline: 30m, on_deadline: continue}, "
        "b: {discover: cook, on_deadline: fallback, on_constrained: fallback, on_late_eta: other-provider, fallback: kitchen/cook}, "
        "c: {to: kitchen/count, on_deadline: continue, on_constrained: fail, on_late_eta: continue}"
    )
    assert spoken(uses) == ""
