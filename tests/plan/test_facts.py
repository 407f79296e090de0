"""What is compared of a network is all that was read, under the keys of its files."""

from __future__ import annotations

import pytest

from runner.plan.changes import Mask, changes_of_ensemble, changes_of_network
from runner.plan.facts import leaves, of_ensemble, of_network
from runner.plan.fields import class_of
from tests.support.sources import printed, read

KITCHEN = """\
description: Cooks.
domain: food
sla: 2m
capacity: {backpressure: 3}
uses:
  one: {to: bar/mix, fallback: bar/shake, on_deadline: fallback, mode: async, deadline: 5s,
        delivery: {store: {key: k, ttl: 1h}}}
  two: {tags: [drink], select: round-robin, priority: high, dedupe: content, max_hops: 3}
agents: {chef: {model: chef, instructions: Cook., tools: [count]}}
tools: {count: {python: "kitchen:count", description: Counts., share: {tags: [drink], authority: supervised}}}
tasks:
  cook:
    share: true
    dedupe: content
    input_schema: {type: object}
    output: {meal: "{{ steps.pans }}"}
    steps:
      - {id: pans, tool: count, input: {}, retry: {attempts: 2}, for_each: [1, 2]}
      - {id: chat, agent: chef, prompt: {order: "{{ steps.pans }}"}, needs: [pans]}
      - {python: "kitchen:count", when: "true"}
"""
NETWORK = """\
network: hotel
models: {chef: [{provider: scripted, script: chef.yaml}]}
deliveries: {board: {store: key}, all: {topic: all}, one: {queue: one}, no: {none: true}, back: {reply: true}}
audit: {kept: 3d}
ensembles:
  kitchen: kitchen.yaml
  bar: {tasks: {mix: {share: true, steps: [{template: 1}]}, shake: {share: [drink], steps: [{template: {a: 1}}]}}}
"""
RICH = {
    "network.yaml": NETWORK,
    "kitchen.yaml": KITCHEN,
    "kitchen.py": "def count(text): return 1",
    "chef.yaml": "cases: [{match: a, say: b, turns: [{tool: count}]}]",
}


RICH_ENSEMBLES = ("kitchen", "bar")


def test_every_resolved_value_has_a_class() -> None:
    reading = read(RICH)
    assert reading.network is not None, printed(reading.diagnostics)
    for path, _ in leaves(of_network(reading.network)):
        class_of(path, file="network")
    for ensemble in reading.network.ensembles.values():
        for path, _ in leaves(of_ensemble(ensemble)):
            class_of(path, file="ensemble")


def test_an_ensemble_is_told_with_the_keys_of_its_file() -> None:
    reading = read(RICH)
    assert reading.network is not None
    told = {".".join(path): value for path, value in leaves(of_ensemble(reading.network.ensembles["kitchen"]))}
    assert told == {
        "agents.chef.instructions": "Cook.",
        "agents.chef.model": "chef",
        "agents.chef.tools": ["count"],
        "capacity.backpressure": 3.0,
        "capacity.max_concurrent": 16,
        "capacity.queue_limit": 1000,
        "description": "Cooks.",
        "domain": "food",
        "placement": "inline",
        "sla": "2m",
        "tasks.cook.dedupe": "content",
        "tasks.cook.input_schema": {"type": "object"},
        "tasks.cook.output": {"meal": "{{ steps.pans }}"},
        "tasks.cook.share.authority": "autonomous",
        "tasks.cook.share.tags": [],
        "tasks.cook.steps.(order)": ["pans", "chat", "2"],
        "tasks.cook.steps.2.python": "kitchen.py:count",
        "tasks.cook.steps.2.when": "true",
        "tasks.cook.steps.chat.agent": "chef",
        "tasks.cook.steps.chat.needs": ["pans"],
        "tasks.cook.steps.chat.prompt": {"order": "{{ steps.pans }}"},
        "tasks.cook.steps.pans.for_each.items": [1, 2],
        "tasks.cook.steps.pans.for_each.max_concurrent": 4,
        "tasks.cook.steps.pans.input": {},
        "tasks.cook.steps.pans.retry.attempts": 2,
        "tasks.cook.steps.pans.retry.backoff": "1s",
        "tasks.cook.steps.pans.tool": "count",
        "tools.count.description": "Counts.",
        "tools.count.idempotent": False,
        "tools.count.python": "kitchen.py:count",
        "tools.count.share.authority": "supervised",
        "tools.count.share.tags": ["drink"],
        "uses.one.authority": "autonomous",
        "uses.one.deadline": "5s",
        "uses.one.delivery": "store k 1h",
        "uses.one.fallback": "bar/shake",
        "uses.one.mode": "async",
        "uses.one.on_constrained": "wait",
        "uses.one.on_deadline": "fallback",
        "uses.one.on_late_eta": "accept",
        "uses.one.to": "bar/mix",
        "uses.two.authority": "autonomous",
        "uses.two.dedupe": "content",
        "uses.two.max_hops": 3,
        "uses.two.mode": "await",
        "uses.two.on_constrained": "wait",
        "uses.two.on_deadline": "fail",
        "uses.two.on_late_eta": "accept",
        "uses.two.priority": "high",
        "uses.two.select": "round-robin",
        "uses.two.tags": ["drink"],
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{template: 1}", "{template: 2}"),
        ("{template: {}}", "{template: {a: 1}}"),
        ("{python: 'm:f'}", "{python: 'm:f', input: {}}"),
        ("{python: 'm:f', input: a}", "{python: 'm:f', input: {a: 1}}"),
        ("{python: 'm:f', input: {a: 1}}", "{python: 'm:f', input: {a: 2}}"),
        ("{python: 'm:f', input: {a: 1}}", "{python: 'm:f', input: [{a: 1}]}"),
        ("{python: 'm:f', input: []}", "{python: 'm:f', input: {}}"),
        ("{python: 'm:f'}", "{python: 'm:f', when: 1 == 1}"),
        ("{template: 1}", "{template: true}"),
        ("{template: 1}", "{id: a, template: 1}"),
    ],
)
def test_no_difference_is_overlooked(before: str, after: str) -> None:
    def kitchen(step: str):
        files = {
            "network.yaml": f"network: n\nensembles: {{k: {{tasks: {{t: {{steps: [{step}]}}}}}}}}",
            "m.py": "f = 1",
        }
        found = read(files).network
        assert found is not None
        return found.ensembles["k"]

    assert changes_of_ensemble(kitchen(before), kitchen(after), Mask())
    assert not changes_of_ensemble(kitchen(after), kitchen(after), Mask())


def test_a_network_that_is_read_again_is_the_same() -> None:
    first, second = read(RICH).network, read(RICH).network
    assert first is not None
    assert second is not None
    assert changes_of_network(first, second, Mask()) == ()
    assert [changes_of_ensemble(first.ensembles[n], second.ensembles[n], Mask()) for n in RICH_ENSEMBLES] == [(), ()]
