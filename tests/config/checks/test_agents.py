"""An agent has a model that exists, and tools that its ensemble has."""

from __future__ import annotations

from tests.support.sources import said


def test_model_and_tools_are_looked_up() -> None:
    files = {
        "network.yaml": """\
network: n
models: {talk: [{provider: scripted, script: s.yaml}]}
ensembles:
  bar:
    uses: {meal: kitchen/cook}
    agents: {host: {model: tlak, tools: [meal, mael, oven]}}
  kitchen:
    tasks: {cook: {share: [food], steps: [{template: Done.}]}}
""",
        "s.yaml": """\
cases: [{say: Yes.}]
""",
    }
    assert (
        said(files)
        == """\
network.yaml:6:28: error[unknown-model]: no model route is called `tlak`
  hint: did you mean `talk`?
network.yaml:6:48: error[unknown-tool]: `bar` has no tool or use called `mael`
  hint: did you mean `meal`?
network.yaml:6:54: error[unknown-tool]: `bar` has no tool or use called `oven`
  hint: add it to `tools:` or `uses:`
""".rstrip()
    )


def test_a_broken_route_is_no_unknown_one() -> None:
    network = """\
network: n
models: {talk: [{provider: scripted}]}
ensembles:
  bar:
    agents: {host: {model: talk}}
"""
    assert (
        said(network)
        == """\
network.yaml:2:17: error[missing-key]: `script` is missing
  hint: a scripted model needs `script: PATH`
""".rstrip()
    )


def test_a_health_check_has_one_probe_and_a_tool_that_is_there() -> None:
    files = {
        "network.yaml": """\
network: n
ensembles:
  bar:
    health: {tool: opne}
    tools: {open: {python: "bar:is_open"}}
  cellar:
    health: {http: "http://localhost:1", tool: open}
  kitchen:
    health: {interval: 5s}
  larder:
    health: {python: "bar:is_opne"}
  stall:
    health: {http: "localhost:1"}
""",
        "bar.py": "def is_open() -> bool: ...\n",
    }
    assert (
        said(files)
        == """\
network.yaml:4:20: error[unknown-tool]: `bar` has no tool called `opne`
  hint: did you mean `open`?
network.yaml:7:5: error[conflicting-keys]: `health` has `http` and `tool`; a health check has one probe
  hint: keep one
network.yaml:9:5: error[missing-key]: `health` says neither `python`, `http` nor `tool`
  hint: name one of them
network.yaml:11:22: error[unknown-function]: `bar.py` binds no `is_opne`
  hint: did you mean `is_open`?
network.yaml:13:20: error[invalid-value]: `http` is no address: `localhost:1`
  hint: write `http://…` or `https://…`"""
    )
