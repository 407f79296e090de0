"""Two things of one ensemble do not go by one name."""

from __future__ import annotations

from tests.support.sources import said


def test_a_tool_and_a_task_and_a_use_are_told_apart() -> None:
    files = {
        "network.yaml": """\
network: n
ensembles:
  bar:
    uses: {heat: kitchen/cook, mix: kitchen/cook}
    tools: {heat: {python: "bar:heat"}, mix: {python: "bar:heat"}}
    tasks: {heat: {steps: [{tool: heat}]}, mix-all: {steps: [{use: mix}]}}
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
network.yaml:5:13: error[name-clash]: a tool and a use of `bar` are both called `heat`
  hint: rename one; the first is on line 4
network.yaml:5:41: error[name-clash]: a tool and a use of `bar` are both called `mix`
  hint: rename one; the first is on line 4
network.yaml:6:13: error[duplicate-capability]: a tool and a task of `bar` are both called `heat`
  hint: rename one; the first is on line 5
""".rstrip()
    )
