"""The server dies under a running network, and comes back by itself."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from runner.bus.streams import context, ensure_queue
from runner.bus.work_queues import WorkQueues
from runner.errors import NotRunning, ServerFailed
from runner.host.desk import Delivered, StoreAway
from runner.host.happenings import Notice
from runner.subjects import priority_consumer
from runner.work import Priority, Record, Status, WorkResponse
from tests.support.networks import LiveNetwork, eventually, live
from tests.support.processes import brought_to_a_stop
from tests.support.records import a_request

NETWORK = """\
network: inn
ensembles:
  desk:
    uses: {cook: kitchen/cook}
    tasks: {order: {share: true, steps: [{use: cook}]}}
  kitchen:
    capacity: {max_concurrent: 1}
    tasks: {cook: {share: true, steps: [{python: "inn:cook"}]}}
"""
MODULE = """\
import asyncio
from pathlib import Path

here = Path(__file__).parent


async def cook(text: str) -> str:
    with (here / "effects").open("a") as stream:
        stream.write(text + "\\n")
    while not (here / "release").exists():
        await asyncio.sleep(0.01)
    return f"cooked {text}"
"""


def kill_server(inn: LiveNetwork) -> None:
    os.kill(int((inn.workspace.state / "nats-server.pid").read_text()), signal.SIGKILL)


async def test_the_server_is_started_again_and_tasks_in_hand_and_waiting_are_answered_once(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        orders = [asyncio.ensure_future(inn.client.call("desk/order", dish)) for dish in ("soup", "fish")]
        effects = inn.workspace.directory / "effects"
        await eventually(effects.exists, "a dish on the stove")
        kill_server(inn)
        await eventually(lambda: any(isinstance(h, Notice) for h in inn.happenings), "a notice of the restart")
        await eventually(lambda: answers(inn), "an answer after the restart")
        (inn.workspace.directory / "release").touch()
        async with asyncio.timeout(40):
            responses = await asyncio.gather(*orders)
        assert all(isinstance(response, WorkResponse) for response in responses)
        assert [(r.status, r.result) for r in responses] == [
            (Status.COMPLETED, "cooked soup"),
            (Status.COMPLETED, "cooked fish"),
        ]
        assert sorted(effects.read_text().split()) == ["fish", "soup"]
        assert await inn.client.requests("PENDING") == ()


async def test_what_a_server_lost_is_made_good_however_often_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster without a leader, or a store that is out of order, answers and refuses."""
    refusals = iter([ServerFailed("no leader"), ServerFailed("no leader")])

    async def refused(*terms: Any) -> None:
        if (refusal := next(refusals, None)) is not None:
            raise refusal
        await ensure_queue(*terms)

    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        (inn.workspace.directory / "release").touch()
        ground = inn.runner._ground
        for priority in Priority:
            stream, consumer = ground.subjects.work_stream("kitchen"), priority_consumer(priority)
            await context(ground.connection).delete_consumer(stream, consumer)
        monkeypatch.setattr("runner.host.foundation.ensure_queue", refused)
        monkeypatch.setattr("runner.host.foundation.MEND_SECONDS", 0.01)
        await ground.mend()
        response = await inn.client.call("kitchen/cook", "soup", deadline=60)
        assert isinstance(response, WorkResponse)
        assert response.result == "cooked soup"


async def test_an_outcome_that_cannot_be_delivered_yet_stays_queued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it was recorded before, and the task came again: whoever has it in hand takes that for a pause."""
    problems: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, problem: problems.append(problem))
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        (inn.workspace.directory / "release").touch()
        await inn.client.call("kitchen/cook", "soup", request_id="soup")
        ground = inn.runner._ground
        tries: list[Record] = []

        async def away(record: Record) -> Delivered:
            tries.append(record)
            raise StoreAway

        monkeypatch.setattr(ground.desk, "deliver", away)
        again = a_request("soup", "cook", "soup")
        assert await ground.desk.publish(again, "kitchen", publication=7) is None
        kitchen = inn.runner._hosted["kitchen"]
        await eventually(lambda: bool(tries) and kitchen.in_flight == 0, "the end of the turn")
        assert [stored.sequence async for stored in WorkQueues(ground.connection, ground.subjects).stored("kitchen")]
        assert problems == []


async def test_a_server_that_dies_again_and_again_costs_a_caller_time_and_no_task(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        (inn.workspace.directory / "release").touch()
        await inn.client.call("kitchen/cook", "fish")  # from now on it knows who cooks
        connection = inn.client._connection
        server = int((inn.workspace.state / "nats-server.pid").read_text())

        def on_its_way() -> bool:
            asked = [subject for subject, answer in connection._asked.values() if not answer.done()]
            return any(subject.startswith("inn.work.") for subject in asked)

        try:
            await brought_to_a_stop(server)
            call = asyncio.ensure_future(inn.client.call("kitchen/cook", "soup"))
            for _ in range(7):
                await eventually(on_its_way, "a task on its way")
                connection.lost()
        finally:
            os.kill(server, signal.SIGCONT)
        response = await call
        assert isinstance(response, WorkResponse)
        assert (response.result, response.error) == ("cooked soup", None)


async def answers(inn: LiveNetwork) -> bool:
    try:
        return len((await inn.client.status()).ensembles) == 2
    except NotRunning:
        return False
