"""Agents that look their tools up in the catalog when they work."""

from __future__ import annotations

from pathlib import Path

from runner.host.runner import running
from runner.work import Code, Status
from tests.support.networks import LiveNetwork, eventually, live

NETWORK = """\
network: inn
tags: {food: {aliases: [meals]}, linen: what is laundered}
models: {talk: [{provider: scripted, script: talk.yaml}]}
ensembles:
  desk:
    agents:
      host: {model: talk, tools: [own, {catalog: {tags: [meals]}}, {catalog: {name: wash, tags: [linen]}}]}
      guest: {model: talk}
    tools:
      own: {python: "inn:own", share: [food]}
    tasks:
      ask: {share: [food], steps: [{agent: host}]}
      pass: {share: true, steps: [{agent: guest}]}
  kitchen:
    tools: {count: {python: "inn:count", share: [food]}}
  cellar:
    tools: {count: {python: "inn:count", share: [food]}}
    tasks: {cook: {description: Cooks., share: [food], steps: [{template: "{{ context }} is cooked"}]}}
  laundry:
    tools: {wash: {python: "inn:count", share: [linen]}, iron: {python: "inn:count", share: [linen]}}
"""
TALK = """\
cases:
  - {match: "^tools$", say: "{{ tools }}"}
  - {match: "^count (?P<what>.*)", turns: [{tool: cellar__count, input: "{{ what }}", save: n}], say: "{{ n }}"}
  - {match: "^cook (?P<what>.*)", turns: [{tool: cellar__cook, input: "{{ what }}"}], say: "{{ cellar__cook }}"}
  - {match: "^iron", turns: [{tool: laundry__iron}], say: ironed}
"""
INN = """\
def own(text: str) -> str:
    return "mine"

def count(text: str) -> str:
    return f"3 of {text}"
"""


async def asked(network: LiveNetwork, text: str, task: str = "ask") -> object:
    answer = await network.client.call(f"desk/{task}", text)
    return answer.result if answer.error is None else answer.error.code


async def test_whatever_joined_a_second_ago_is_a_tool_now_and_no_longer_when_it_left(tmp_path: Path) -> None:
    (tmp_path / "talk.yaml").write_text(TALK)
    others = frozenset({"cellar"})
    async with live(tmp_path, NETWORK, without=others, inn=INN) as network:
        here = ["own", "kitchen__count", "laundry__wash"]
        assert await asked(network, "tools") == here, "never its own ensemble's"
        refused = await network.client.call("desk/ask", "count eggs")
        assert refused.error is not None
        assert (refused.status, refused.error.code) == (Status.FAILED, Code.NO_PROVIDER)
        assert refused.error.hint == "on offer to it now: kitchen__count, laundry__wash"

        without = frozenset(network.network.ensembles) - others
        async with running(network.network, network.workspace, join=True, without=without):

            async def has_it() -> bool:
                return await asked(network, "tools") == ["own", "cellar__cook", "cellar__count", *here[1:]]

            await eventually(has_it, "what has joined")
            assert await asked(network, "count eggs") == "3 of eggs"
            assert await asked(network, "cook eggs") == "eggs is cooked"

        async def is_gone() -> bool:
            return await asked(network, "tools") == here

        await eventually(is_gone, "what has left")


async def test_what_it_does_not_look_for_it_cannot_call(tmp_path: Path) -> None:
    (tmp_path / "talk.yaml").write_text(TALK)
    async with live(tmp_path, NETWORK, inn=INN) as network:
        assert await asked(network, "iron") == Code.NO_PROVIDER
        assert await asked(network, "tools", "pass") == []
        assert await asked(network, "count eggs", "pass") == Code.STEP_FAILED
