# ruff: noqa: E501 - as it is printed
"""A delivery that is asked for by name is one of the network's."""

from __future__ import annotations

from tests.support.sources import said


def test_names_are_looked_up_and_methods_are_not() -> None:
    network = """\
network: n
deliveries: {board: {topic: b}, off: {queue: q, when: ""}}
ensembles:
  bar:
    uses: {a: {to: kitchen/cook, delivery: bord}, b: {to: kitchen/cook, delivery: off}, c: {to: kitchen/cook, delivery: {queue: x}}}
    tasks: {t: {steps: [{use: a}]}}
    schedules: {s: {cron: "* * * * *", task: t, delivery: {name: boar}}, u: {cron: "* * * * *", task: tt}}
  kitchen:
    tasks: {cook: {share: [food], steps: [{template: Done.}]}}
"""
    assert (
        said(network)
        == """\
network.yaml:2:14: warning[not-yet-supported]: the delivery `board` is not supported yet
  hint: until then, the result goes to whoever waits
network.yaml:5:34: warning[not-yet-supported]: `delivery` is not supported yet
  hint: until then, the result goes to whoever waits
network.yaml:5:44: error[unknown-delivery]: no delivery is called `bord`
  hint: did you mean `board`?
network.yaml:5:73: warning[not-yet-supported]: `delivery` is not supported yet
  hint: until then, the result goes to whoever waits
network.yaml:5:111: warning[not-yet-supported]: `delivery` is not supported yet
  hint: until then, the result goes to whoever waits
network.yaml:7:17: warning[not-yet-supported]: `s` in `schedules` is not supported yet
  hint: until then, nothing runs by the clock
network.yaml:7:66: error[unknown-delivery]: no delivery is called `boar`
  hint: did you mean `board`?
network.yaml:7:74: warning[not-yet-supported]: `u` in `schedules` is not supported yet
  hint: until then, nothing runs by the clock
network.yaml:7:103: error[unknown-task]: `bar` has no task called `tt`
  hint: did you mean `t`?
""".rstrip()
    )
