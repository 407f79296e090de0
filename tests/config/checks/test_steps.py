"""A step calls what its ensemble has, and goes by a name of its own."""

from __future__ import annotations

from tests.support.sources import said


def test_what_a_step_calls_is_looked_up() -> None:
    files = {
        "network.yaml": """\
network: n
ensembles:
  bar:
    uses: {meal: kitchen/cook}
    tools: {heat: {python: "bar:heat"}}
    tasks:
      serve:
        steps:
          - {tool: haet}
          - {tool: meal}
          - {use: heat}
          - {agent: host}
          - {id: a, template: One.}
          - {id: a, template: Two., needs: [b]}
      pass-on: {steps: [{handoff: meel}]}
  kitchen:
    tasks: {cook: {share: [food], steps: [{template: Done.}]}}
""",
        "bar.py": """\
heat = str
""",
    }
    assert (
        said(files)
        == """\
network.yaml:9:20: error[unknown-tool]: `bar` has no tool called `haet`
  hint: did you mean `heat`?
network.yaml:10:20: error[unknown-tool]: `bar` has no tool called `meal`
  hint: it is a use: write `use: meal`
network.yaml:11:19: error[unknown-use]: `bar` has no use called `heat`
  hint: it is a tool: write `tool: heat`
network.yaml:12:21: error[unknown-agent]: `bar` has no agent called `host`
  hint: add it to `agents:`
network.yaml:14:18: error[duplicate-step]: a second step of `serve` is called `a`
  hint: give each step an id of its own
network.yaml:14:45: error[unknown-step]: `serve` has no step called `b`
  hint: there is `a`
network.yaml:15:35: error[unknown-use]: `bar` has no use called `meel`
  hint: did you mean `meal`?
""".rstrip()
    )
