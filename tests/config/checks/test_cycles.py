"""Delegation comes to an end."""

from __future__ import annotations

from tests.support.sources import said


def test_a_cycle_is_told_once_at_the_use_that_closes_it() -> None:
    network = """\
network: n
ensembles:
  a:
    uses: {next: b/y}
    tasks: {x: {share: true, steps: [{use: next}]}}
  b:
    uses: {next: {discover: z}}
    tasks: {y: {share: true, steps: [{use: next}]}}
  c:
    uses: {back: a/x}
    tasks: {z: {share: true, steps: [{use: back}]}}
"""
    assert (
        said(network)
        == """\
network.yaml:10:12: error[delegation-cycle]: the delegation never ends: a/x → b/y → c/z → a/x
  hint: take one use out of the cycle, or bound it with `max_hops:`
""".rstrip()
    )


def test_a_bound_on_any_use_of_it_is_enough() -> None:
    network = """\
network: n
ensembles:
  a:
    uses: {next: {to: b/y, max_hops: 3}}
    tasks: {x: {share: true, steps: [{use: next}]}}
  b:
    uses: {back: a/x}
    tasks: {y: {share: true, steps: [{use: back}]}}
"""
    assert said(network) == ""


def test_an_agent_delegates_with_its_tools() -> None:
    files = {
        "network.yaml": """\
network: n
models: {m: [{provider: scripted, script: s.yaml}]}
ensembles:
  a:
    uses: {self: a/x}
    agents: {host: {model: m, tools: [self]}}
    tasks: {x: {share: true, steps: [{agent: host}]}}
""",
        "s.yaml": """\
cases: [{say: Yes.}]
""",
    }
    assert (
        said(files)
        == """\
network.yaml:5:12: error[delegation-cycle]: the delegation never ends: a/x → a/x
  hint: take one use out of the cycle, or bound it with `max_hops:`
""".rstrip()
    )


def test_a_tool_ends_the_way() -> None:
    files = {
        "network.yaml": """\
network: n
ensembles:
  a:
    uses: {next: b/y}
    tasks: {x: {share: true, steps: [{use: next}]}}
  b:
    uses: {back: a/x}
    tools: {y: {python: "b:y", share: true}}
""",
        "b.py": """\
def y(): ...
""",
    }
    assert said(files) == ""


def test_several_possible_providers_make_no_cycle() -> None:
    network = """\
network: n
ensembles:
  a:
    uses: {next: {discover: y}}
    tasks: {x: {share: true, steps: [{use: next}]}}
  b:
    uses: {back: a/x}
    tasks: {y: {share: true, steps: [{use: back}]}}
  c:
    uses: {back: a/x}
    tasks: {y: {share: true, steps: [{use: back}]}}
"""
    assert said(network) == ""


def test_a_fallback_closes_a_cycle_too() -> None:
    network = """\
network: n
ensembles:
  a:
    uses: {next: {to: b/y, fallback: c/z}}
    tasks: {x: {share: true, steps: [{use: next}]}}
  b:
    tasks: {y: {share: true, steps: [{template: Done.}]}}
  c:
    uses: {back: a/x}
    tasks: {z: {share: true, steps: [{use: back}]}}
"""
    assert (
        said(network)
        == """\
network.yaml:9:12: error[delegation-cycle]: the delegation never ends: a/x → c/z → a/x
  hint: take one use out of the cycle, or bound it with `max_hops:`
""".rstrip()
    )
