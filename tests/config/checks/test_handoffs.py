"""A hand-off is the last thing that a task does, and goes to a task."""

from __future__ import annotations

from tests.support.sources import said

NETWORK = """\
network: n
ensembles:
  bar:
    uses: {meal: kitchen/cook, look: kitchen/check, find: {discover: check}, any: {tags: [food]}}
    tasks:
"""
KITCHEN = """\
  kitchen:
    tools: {check: {python: "kitchen:check", share: [food]}}
    tasks: {cook: {share: [food], steps: [{template: Done.}]}}
"""


def judged(tasks: str) -> str:
    return said({"network.yaml": NETWORK + tasks + KITCHEN, "kitchen.py": "check = str\n"})


def test_what_stands_behind_a_hand_off_is_never_reached() -> None:
    tasks = """\
      steps: {steps: [{handoff: meal}, {template: Never.}, {handoff: any}]}
      output: {steps: [{template: A.}, {handoff: meal}], output: Never.}
      needs: {steps: [{id: a, template: A.}, {id: b, needs: [a], template: B.}, {handoff: meal}]}
"""
    assert (
        judged(tasks)
        == """\
network.yaml:6:40: error[handoff-not-last]: this step of `steps` is never reached: whoever it is handed to answers
  hint: take it out, or give the hand-off a `when`
network.yaml:7:58: error[handoff-not-last]: the `output` of `output` is never given: whoever it is handed to answers
  hint: take it out, or give the hand-off a `when`
network.yaml:8:54: error[handoff-not-last]: `needs` hands off, but has no last step: its steps run by their `needs`
  hint: take the `needs` of its steps out
""".rstrip()
    )


def test_a_hand_off_that_may_be_passed_over_is_followed_by_what_else_there_is_to_do() -> None:
    tasks = """\
      serve:
        steps: [{handoff: meal, when: "'soup' in context"}, {handoff: any, when: "'fish' in context"}, {template: No.}]
        output: "Closed."
"""
    assert judged(tasks) == ""


def test_a_hand_off_goes_to_a_task() -> None:
    tasks = """\
      named: {steps: [{handoff: look}]}
      found: {steps: [{handoff: find}]}
      either: {steps: [{handoff: any}]}
"""
    assert (
        judged(tasks)
        == """\
network.yaml:6:33: error[handoff-to-tool]: `kitchen/check` is a tool, and a tool takes over no work
  hint: write `use: look` and answer with its result, or hand off to a task
network.yaml:7:33: error[handoff-to-tool]: `kitchen/check` is a tool, and a tool takes over no work
  hint: write `use: find` and answer with its result, or hand off to a task
""".rstrip()
    )


def test_nobody_waits_for_what_a_hand_off_gives() -> None:
    tasks = """\
      a: {steps: [{handoff: meal, for_each: [1, 2]}]}
      b: {steps: [{handoff: meal, retry: {attempts: 2}}]}
      c: {steps: [{id: x, template: X.}, {handoff: meal, needs: [x]}]}
"""
    hint = "\n  hint: nobody waits here for what it gives; for that, write `use:`"
    assert judged(tasks) == (
        f"network.yaml:6:19: error[conflicting-keys]: `handoff` steps take no `for_each`{hint}\n"
        f"network.yaml:7:19: error[conflicting-keys]: `handoff` steps take no `retry`{hint}\n"
        f"network.yaml:8:42: error[conflicting-keys]: `handoff` steps take no `needs`{hint}"
    )
