"""FAULTS 15, and what else befalls a task whose provider is gone: moved, held or expired, with one outcome."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from runner.client.network import NetworkClient
from runner.work import Code, Standing, Status, WorkResponse
from tests.support.networks import eventually
from tests.support.processes import answer_of, client, files_of, kill, lines, servers_on, standing, up
from tests.support.terminal import Directory

NETWORK = """\
network: inn
ensembles:
  auberge:
    sla: 300ms
    tasks: {cook: {share: [food], steps: [{python: "inn:slowly"}]}}
  bistro:
    tasks: {cook: {share: [food], steps: [{python: "inn:at_once"}]}}
  cellar: {}
"""
MODULE = """\
import asyncio
from pathlib import Path

here = Path(__file__).parent


async def slowly(text: str) -> str:
    with (here / "begun").open("a") as stream:
        stream.write(text + "\\n")
    while not (here / "release").exists():
        await asyncio.sleep(0.01)
    with (here / "effects").open("a") as stream:
        stream.write(text + "\\n")
    return f"{text} of the auberge"


async def at_once(text: str) -> str:
    return f"{text} of the bistro"
"""
MINUTE = 60.0


@pytest.fixture
def inn(tmp_path: Path) -> Iterator[Directory]:
    """A network to bring up. The auberge is the first that is asked for a dish, and takes its time."""
    directory = Directory(tmp_path)
    directory.write("network.yaml", NETWORK)
    directory.write("inn.py", MODULE)
    yield directory
    for pid in servers_on(files_of(directory)):
        os.kill(pid, signal.SIGKILL)


async def ordered(network: NetworkClient, inn: Directory, dish: str) -> asyncio.Task[object]:
    """A dish for which somebody waits, on the stove of the auberge, with its start on record."""
    call = asyncio.ensure_future(network.call("cook", dish, request_id=dish, deadline="2m"))
    await eventually(lambda: dish in lines(inn, "begun"), "a dish on the stove")
    await eventually(lambda: is_on_record(network), "its start on record")
    return call


async def is_on_record(network: NetworkClient) -> bool:
    return [len(report.history) for report in await network.requests()] == [1]


async def test_what_a_killed_provider_had_in_hand_another_one_answers(inn: Directory) -> None:
    with up(inn, "--except", "auberge"), up(inn, "--join", "--only", "auberge") as auberge:
        async with client(inn) as network, asyncio.timeout(MINUTE):
            soup = await ordered(network, inn, "soup")
            kill(auberge)
            assert answer_of(await soup) == "soup of the bistro"
            assert await standing(network) == {"COMPLETED": 1}
            [report] = await network.requests()
            assert (report.provider, report.attempts) == ("bistro", 2)
            await eventually(lambda: is_told(network), "the word that it was moved")
            [event] = [event async for event in network.events(request_id="soup") if event.kind == "DELEGATION_FAILED"]
            assert event.message is not None
            assert event.message.endswith("moved from auberge/cook to bistro/cook")
    assert lines(inn, "effects") == []


async def is_told(network: NetworkClient) -> bool:
    """Events leave a moment later than answers."""
    return "DELEGATION_FAILED" in [event.kind async for event in network.events(request_id="soup")]


async def test_a_runner_that_was_stopped_for_a_while_changes_nothing_when_it_goes_on(inn: Directory) -> None:
    """Stopped for longer than three beats and the sla: its work is another's by then, and its own result comes late."""
    with up(inn, "--except", "auberge"), up(inn, "--join", "--only", "auberge") as auberge:
        async with client(inn) as network, asyncio.timeout(MINUTE):
            soup = await ordered(network, inn, "soup")
            auberge.send_signal(signal.SIGSTOP)
            try:
                first = await soup
            finally:
                (inn.path / "release").touch()
                auberge.send_signal(signal.SIGCONT)
            assert answer_of(first) == "soup of the bistro"
            await eventually(lambda: lines(inn, "effects") == ["soup"], "the late end of the work")
            await eventually(lambda: is_back(network), "the auberge, with nothing in hand")
            assert await network.result("soup") == first
            assert await network.call("auberge/cook", "soup", request_id="soup") == first
            assert await standing(network) == {"COMPLETED": 1}
            assert answer_of(await network.call("auberge/cook", "fish")) == "fish of the auberge"


async def is_back(network: NetworkClient) -> bool:
    auberge = next(ensemble for ensemble in (await network.status()).ensembles if ensemble.name == "auberge")
    return (auberge.state, auberge.in_flight, await network.requests("PENDING")) == ("READY", 0, ())


async def test_what_names_its_provider_is_held_and_worked_when_that_is_back(inn: Directory) -> None:
    (inn.path / "release").touch()
    with up(inn, "--except", "auberge"):
        async with client(inn) as network, asyncio.timeout(MINUTE):
            call = asyncio.ensure_future(network.call("auberge/cook", "soup", request_id="soup"))
            await eventually(lambda: is_degraded(network, "soup"), "the word that it is held")
            held = await network.result("soup", wait=False)
            assert isinstance(held, Standing)
            assert held.state == "HELD"
            with up(inn, "--join", "--only", "auberge"):
                assert answer_of(await call) == "soup of the auberge"


async def is_degraded(network: NetworkClient, request_id: str) -> bool:
    events = [event async for event in network.events(request_id=request_id)]
    return [event.capability for event in events if event.kind == "CAPABILITY_DEGRADED"] == ["cook"]


async def test_what_is_past_its_deadline_is_expired_with_nobody_up(inn: Directory) -> None:
    with up(inn, "--only", "cellar"):
        async with client(inn) as network, asyncio.timeout(MINUTE):
            await network.call("auberge/cook", "soup", request_id="soup", deadline="1s")
            await eventually(lambda: nothing_waits(network), "an empty queue")
            outcome = await network.result("soup")
            assert isinstance(outcome, WorkResponse)
            assert outcome.status is Status.EXPIRED
            assert outcome.error is not None
            assert outcome.error.code == Code.DEADLINE_EXCEEDED
            assert await standing(network) == {"EXPIRED": 1}


@pytest.mark.parametrize("point", ["moving _client-tester", "forgetting auberge"])
async def test_the_next_leader_completes_what_the_last_one_began(inn: Directory, point: str) -> None:
    """The leader dies after it recorded the new provider, before or after the task is in its queue; the server too."""
    with ExitStack() as stack:
        leader = stack.enter_context(up(inn, "--only", "cellar", dies=point))
        stack.enter_context(up(inn, "--join", "--only", "bistro"))
        auberge = stack.enter_context(up(inn, "--join", "--only", "auberge"))
        async with client(inn) as network, asyncio.timeout(MINUTE):
            soup = await ordered(network, inn, "soup")
            kill(auberge)
            assert answer_of(await soup) == "soup of the bistro"
            await eventually(lambda: leader.poll() is not None, "the death of the leader")
            assert await standing(network) == {"COMPLETED": 1}
            await eventually(lambda: nothing_waits(network), "empty queues")


async def nothing_waits(network: NetworkClient) -> bool:
    return not any(amount for ensemble in (await network.status()).ensembles for _, amount in ensemble.queued)
