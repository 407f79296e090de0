"""A runner is killed: what it offered is out of routing, and whoever discovers goes on with somebody else."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import count
from pathlib import Path

import pytest

from runner.client.network import NetworkClient
from runner.work import EnsembleState, Status, WorkResponse
from tests.support.networks import eventually
from tests.support.processes import client, kill, lines, up
from tests.support.terminal import Directory

NETWORK = """\
network: inn
defaults: {deadline: 30s}
ensembles:
  desk:
    uses: {count: {discover: count}, cook: {discover: cook}, hold: {discover: hold}, named: annex/hold}
    tasks:
      counted: {share: true, steps: [{use: count}]}
      cooked: {share: true, steps: [{use: cook}]}
      held: {share: true, steps: [{use: hold}]}
      held-by-name: {share: true, steps: [{use: named}]}
  annex:
    sla: 1s
    tools: {count: {python: "inn:count", share: true}, hold: {python: "inn:hold", share: true}}
    tasks: {cook: {share: true, steps: [{python: "inn:cook"}]}}
  tavern:
    sla: 1s
    tools: {count: {python: "inn:count", share: true}, hold: {python: "inn:hold", share: true}}
    tasks: {cook: {share: true, steps: [{python: "inn:cook"}]}}
"""
MODULE = """\
import asyncio
import os
from pathlib import Path

here = Path(__file__).parent


def count(text: str) -> int:
    return effect(text)


async def hold(text: str) -> int:
    effect(text)
    while not (here / "release").exists():
        await asyncio.sleep(0.01)
    return os.getpid()


def cook(text: str) -> int:
    return effect(text)


def effect(text: str) -> int:
    with (here / "effects").open("a") as stream:
        stream.write(f"{text}\\n")
    return os.getpid()
"""


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    found = Directory(tmp_path)
    found.write("network.yaml", NETWORK)
    found.write("inn.py", MODULE)
    return found


async def call(network: NetworkClient, target: str, text: str, **terms: object) -> WorkResponse:
    response = await network.call(target, text, **terms)
    assert isinstance(response, WorkResponse)
    return response


async def state_of(network: NetworkClient, provider: str) -> EnsembleState:
    return next(entry.status for entry in await network.catalog() if entry.provider == provider)


async def test_a_killed_runner_is_out_of_routing_and_every_call_is_done_once_by_who_is_left(
    directory: Directory,
) -> None:
    with (
        up(directory, "--only", "desk,tavern") as owner,
        up(directory, "--join", "--only", "annex") as other,
    ):
        async with client(directory) as network:
            done = [await call(network, f"desk/{way}", f"{way}-0") for way in ("counted", "cooked")]
            assert [response.result for response in done] == [other.pid, other.pid]
            kill(other)

            async def unheard() -> bool:
                """The server has noticed that nobody is there, though routing may not have."""
                refused = await call(network, "annex/count", "nobody", deadline=0.5)
                return refused.error is not None and refused.error.code == "NO_PROVIDER"

            await eventually(unheard, "the end of the connection")
            numbers = count(1)
            tasks = [asyncio.ensure_future(call(network, "desk/cooked", f"cooked-{next(numbers)}")) for _ in range(5)]
            while await state_of(network, "annex") is EnsembleState.READY:
                done.append(await call(network, "desk/counted", f"counted-{next(numbers)}"))
                done.append(await call(network, "count", f"called-{next(numbers)}"))
            done.append(await call(network, "desk/counted", f"counted-{next(numbers)}"))
            done.append(await call(network, "desk/cooked", f"cooked-{next(numbers)}"))
            done += await asyncio.gather(*tasks)
            why = await network.why("desk", "count")
    assert {response.status for response in done} == {Status.COMPLETED}
    assert {response.result for response in done[2:]} == {owner.pid}
    effects = Counter(lines(directory, "effects"))
    assert set(effects.values()) == {1}
    assert len(effects) == len(done)
    assert [(c.provider, c.eligible) for c in why.candidates] == [("annex", False), ("tavern", True)]


async def test_a_tool_call_in_the_hands_of_a_runner_that_is_killed_ends_and_is_asked_of_nobody_else(
    directory: Directory,
) -> None:
    """Its deadline is far, and nobody knows whether it was done."""
    with (
        up(directory, "--only", "desk,tavern"),
        up(directory, "--join", "--only", "annex") as other,
    ):
        async with client(directory) as network:
            ways = ("held", "held-by-name")
            calls = [asyncio.ensure_future(call(network, f"desk/{way}", way, deadline="1h")) for way in ways]
            await eventually(lambda: sorted(lines(directory, "effects")) == sorted(ways), "both in hand")
            kill(other)
            async with asyncio.timeout(30):
                ended = await asyncio.gather(*calls)
    assert [response.error.code for response in ended if response.error] == ["UNAVAILABLE", "UNAVAILABLE"]
    assert ended[0].error is not None
    assert ended[0].error.message == "a runner of annex went away with annex/hold in hand"
    assert sorted(lines(directory, "effects")) == sorted(ways)


async def test_a_call_of_an_idempotent_tool_in_the_hands_of_a_runner_that_is_killed_is_made_of_the_next(
    directory: Directory,
) -> None:
    """Of whoever else meets the need, or of the fallback of a use that names its provider."""
    twice = NETWORK.replace('hold: {python: "inn:hold",', 'hold: {python: "inn:hold", idempotent: true,')
    directory.write(
        "network.yaml", twice.replace("named: annex/hold", "named: {to: annex/hold, fallback: tavern/hold}")
    )
    with (
        up(directory, "--only", "desk,tavern") as owner,
        up(directory, "--join", "--only", "annex") as other,
    ):
        async with client(directory) as network:
            ways = ("held", "held-by-name")
            calls = [asyncio.ensure_future(call(network, f"desk/{way}", way, deadline="1h")) for way in ways]
            await eventually(lambda: sorted(lines(directory, "effects")) == sorted(ways), "both in hand")
            kill(other)
            await eventually(lambda: sorted(lines(directory, "effects")) == sorted(ways * 2), "both in other hands")
            (directory.path / "release").touch()
            ended = await asyncio.gather(*calls)
    assert [response.result for response in ended] == [owner.pid, owner.pid]
