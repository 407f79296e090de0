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
