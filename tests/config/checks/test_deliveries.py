# ruff: noqa: E501 - as it is printed
"""A delivery that is asked for by name is one of the network's, a task has the result, and a key can be rendered."""

from __future__ import annotations

from datetime import timedelta

from runner.deliverable import StoreDelivery, UnsupportedDelivery
from runner.work import DeliverySpec
from tests.support.sources import read, said


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
network.yaml:5:44: error[unknown-delivery]: no delivery is called `bord`
  hint: did you mean `board`?
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


def test_keys_methods_names_and_tools_are_judged() -> None:
    network = """\
network: n
deliveries:
  board: {store: "b/{{ requst.requestId }}"}
  half: {store: {key: "{{ x", ttl: 1s}}
  erp: {webhook: "https://erp.example"}
  jobs: {queue: Jobs.eu}
ensembles:
  bar:
    uses:
      a: {to: kitchen/cook, delivery: {websocket: x}}
      b: {to: kitchen/count, delivery: {topic: x}}
      c: {to: kitchen/cook, delivery: {store: "{{ context }}"}}
  kitchen:
    tools: {count: {python: "k:count", share: true}}
    tasks: {cook: {share: true, steps: [{template: Done.}]}}
"""
    files = {"network.yaml": network, "k.py": "def count(text: str) -> str: ..."}
    assert (
        said(files)
        == """\
network.yaml:3:18: error[unknown-variable]: there is no variable `requst` here
  hint: did you mean `request`?
network.yaml:4:23: error[invalid-template]: unexpected end of template, expected 'end of print statement'.
network.yaml:5:9: warning[not-yet-supported]: the delivery method `webhook` is not supported yet
  hint: until then, the result goes to whoever waits
network.yaml:6:17: error[invalid-name]: `Jobs.eu` is no name
  hint: lower-case letters, digits and hyphens, a letter first, 63 at most
network.yaml:10:40: warning[not-yet-supported]: the delivery method `websocket` is not supported yet
  hint: until then, the result goes to whoever waits
network.yaml:11:30: error[invalid-value]: `delivery` on a use of the tool `kitchen/count`: a tool answers whoever calls it, and delivers nowhere else
  hint: take it out, or share a task
network.yaml:12:47: error[unknown-variable]: there is no variable `context` here
  hint: there is `request`
""".rstrip()
    )


def test_they_resolve_and_what_is_off_or_yet_to_come_leaves_the_reply() -> None:
    network = """\
network: n
deliveries: {board: {store: {key: k, ttl: 1h}}, off: {queue: q, when: ""}, erp: {webhook: "https://erp.example"}}
ensembles:
  bar:
    uses:
      a: {to: kitchen/cook, delivery: board}
      b: {to: kitchen/cook, delivery: off}
      c: {to: kitchen/cook, delivery: erp}
      d: {to: kitchen/cook, delivery: {queue: q}}
      e: {to: kitchen/cook, delivery: {store: k}}
  kitchen:
    tasks: {cook: {share: true, steps: [{template: Done.}]}}
"""
    resolved = read(network).network
    assert resolved is not None
    assert resolved.deliveries == {
        "board": StoreDelivery("k", timedelta(hours=1)),
        "erp": UnsupportedDelivery("webhook"),
    }
    assert {name: use.delivery for name, use in resolved.ensembles["bar"].uses.items()} == {
        "a": DeliverySpec(method="named", address="board"),
        "b": None,
        "c": None,
        "d": DeliverySpec(method="queue", address="q"),
        "e": DeliverySpec(method="store", key="k"),
    }
