"""A runner dies with tool calls in hand: each of them ends soon, whoever made it, and no other call does."""

from __future__ import annotations

import asyncio
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from runner.client.network import NetworkClient
from runner.work import Status, WorkResponse
from tests.support.networks import PLACEMENTS, Place, eventually
from tests.support.processes import client, kill, lines, up
from tests.support.terminal import Directory

NETWORK = """\
network: inn
defaults: {drain_timeout: 2s}
ensembles:
  desk:
    uses: {hold: annex/hold}
    capacity: {max_concurrent: 64}
    tasks:
      held: {share: true, steps: [{use: hold}]}
  annex:
    capacity: {max_concurrent: 64}
    tools:
      hold: {python: "inn:hold", share: true}
"""
TWICE = NETWORK.replace('"inn:hold", share', '"inn:hold", idempotent: true, share')
MODULE = """\
import asyncio
import os
from pathlib import Path

here = Path(__file__).parent


async def hold(text: str) -> str:
    taken = f"{text} {os.environ['HOUSE']}"
    with (here / "effects").open("a") as stream:
        stream.write(f"{taken}\\n")
    while not (here / "release").exists():
        await asyncio.sleep(0.01)
    return taken
"""
Calls = dict[str, "asyncio.Future[WorkResponse]"]

WAYS = pytest.mark.parametrize("target", ["desk/held", "annex/hold"], ids=["by an ensemble", "from outside"])


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    found = Directory(tmp_path)
    found.write("network.yaml", NETWORK)
    found.write("inn.py", MODULE)
    return found


async def call(network: NetworkClient, target: str, text: str) -> WorkResponse:
    response = await network.call(target, text, deadline="1h")
    assert isinstance(response, WorkResponse)
    return response


def annex(stack: ExitStack, directory: Directory, house: str, monkeypatch: pytest.MonkeyPatch) -> subprocess.Popen[str]:
    """One more runner with the annex, whose calls tell of this house."""
    monkeypatch.setenv("HOUSE", house)
    return stack.enter_context(up(directory, "--join", "--only", "annex"))


def taken(directory: Directory, house: str) -> set[str]:
    return {text for text, _, by in (line.partition(" ") for line in lines(directory, "effects")) if by == house}


async def in_both_hands(directory: Directory, network: NetworkClient, target: str) -> Calls:
    """Calls that are all in hand, some in each house."""
    calls: Calls = {}
    while not (taken(directory, "first") and taken(directory, "second")):
        text = f"call-{len(calls)}"
        calls[text] = asyncio.ensure_future(call(network, target, text))
        await eventually(lambda: len(lines(directory, "effects")) == len(calls), "in hand")
    return calls


def assert_lost(response: WorkResponse) -> None:
    assert response.error is not None
    assert response.error.code == "UNAVAILABLE"
    assert response.error.message == "a runner of annex went away with annex/hold in hand"


@WAYS
async def test_a_call_in_the_hands_of_a_runner_that_is_killed_and_started_again_at_once_ends(
    directory: Directory, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its ensemble is never gone for long enough to be missed."""
    with up(directory, "--only", "desk"), ExitStack() as stack:
        first = annex(stack, directory, "first", monkeypatch)
        async with client(directory) as network:
            held = asyncio.ensure_future(call(network, target, "held"))
            await eventually(lambda: taken(directory, "first") == {"held"}, "in hand")
            kill(first)
            annex(stack, directory, "second", monkeypatch)
            assert_lost(await held)
            assert taken(directory, "second") == set()


@PLACEMENTS
@WAYS
async def test_of_two_replicas_that_have_calls_in_hand_one_is_killed_and_only_its_calls_end(
    directory: Directory, target: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.write("network.yaml", place(NETWORK))
    with up(directory, "--only", "desk"), ExitStack() as stack:
        first = annex(stack, directory, "first", monkeypatch)
        annex(stack, directory, "second", monkeypatch)
        async with client(directory) as network:
            calls = await in_both_hands(directory, network, target)
            gone, stays = taken(directory, "first"), taken(directory, "second")
            kill(first)
            for text in gone:
                assert_lost(await calls[text])
            assert not any(calls[text].done() for text in stays)
            (directory.path / "release").touch()
            ended = {text: await calls[text] for text in stays}
    assert {text: response.result for text, response in ended.items()} == {text: f"{text} second" for text in stays}
    assert len(lines(directory, "effects")) == len(calls)


@WAYS
async def test_a_call_of_an_idempotent_tool_goes_on_at_another_replica(
    directory: Directory, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.write("network.yaml", TWICE)
    with up(directory, "--only", "desk"), ExitStack() as stack:
        first = annex(stack, directory, "first", monkeypatch)
        annex(stack, directory, "second", monkeypatch)
        async with client(directory) as network:
            calls = await in_both_hands(directory, network, target)
            kill(first)
            await eventually(lambda: taken(directory, "second") == calls.keys(), "all in the other's hands")
            (directory.path / "release").touch()
            ended = {text: await one for text, one in calls.items()}
    assert {response.status for response in ended.values()} == {Status.COMPLETED}
    assert {response.result for response in ended.values()} == {f"{text} second" for text in calls}


async def test_a_call_from_outside_ends_that_the_last_runner_of_its_provider_had_in_hand(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with up(directory, "--only", "desk"), ExitStack() as stack:
        first = annex(stack, directory, "first", monkeypatch)
        async with client(directory) as network:
            held = asyncio.ensure_future(call(network, "annex/hold", "held"))
            await eventually(lambda: taken(directory, "first") == {"held"}, "in hand")
            kill(first)
            assert_lost(await held)
