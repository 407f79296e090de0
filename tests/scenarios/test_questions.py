"""What is asked about requests costs what is told, however much waits: counted in what the server sends the runner."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner.bus.connection import Connection, connect
from runner.bus.keys import key_in
from runner.errors import UsageProblem
from runner.state import State
from runner.subjects import Subjects
from runner.work import Priority, Standing, WorkRequest, new_trace
from tests.support.networks import LiveNetwork, live

NETWORK = """\
network: inn
ensembles:
  kitchen:
    capacity: {queue_limit: 10000}
    tasks: {cook: {share: true, steps: [{template: "cooked"}]}}
  bar: {tasks: {mix: {share: true, steps: [{template: "mixed"}]}}}
"""
WAITING, QUESTIONS = 1_000, 40
MOST = 10 * WAITING
"""Each of the questions was a reading of the queue. Now there is one, and the leader's, who sees to what nobody takes;
a question that is not answered in a second is asked again.
"""


@pytest.fixture
async def inn(tmp_path: Path) -> AsyncIterator[LiveNetwork]:
    """Nobody cooks, and many wait for it."""
    async with live(tmp_path, NETWORK, without=frozenset({"kitchen"})) as network:
        await fill(network)
        yield network


async def fill(inn: LiveNetwork) -> None:
    """The acknowledgement of the last one tells of all."""
    subject = Subjects("inn").work("_client-tester", "kitchen", Priority.NORMAL, "cook")
    async with connected(inn, "runner") as connection:
        for number in range(WAITING - 1):
            await connection.publish(subject, request(f"r{number}").encode())
        await connection.request(subject, request("last").encode(), timeout=20)


def request(request_id: str) -> WorkRequest:
    return WorkRequest(
        request_id=request_id,
        caller="_client-tester",
        task="cook",
        trace_context=new_trace(),
        submitted_at=datetime.now(UTC),
    )


@asynccontextmanager
async def connected(inn: LiveNetwork, who: str) -> AsyncIterator[Connection]:
    state = State(inn.workspace.state)
    running = state.running()
    assert running is not None
    connection = await connect(list(running.url), caller=f"_{who}", credentials=key_in(state.keys / f"{who}.nk").seed)
    try:
        yield connection
    finally:
        await connection.close()


async def delivered(inn: LiveNetwork) -> int:
    """How many messages the server has sent to the runner's own connections."""
    async with connected(inn, "system") as connection:
        body = json.dumps({"limit": 1024}).encode()
        answer = await connection.request("$SYS.REQ.SERVER.PING.CONNZ", body, timeout=20)
    found = json.loads(answer.data)["data"]["connections"]
    return sum(one["out_msgs"] for one in found if one["name"] == "_runner")


async def test_asking_by_a_bare_id_reads_a_queue_once_and_not_for_every_question(inn: LiveNetwork) -> None:
    before = await delivered(inn)
    asked = (inn.client.result(f"r{number}", wait=False) for number in range(QUESTIONS))
    standings = await asyncio.gather(*asked)
    assert {one.status for one in standings if isinstance(one, Standing)} == {"PENDING"}
    for unknown in ("nobody", "nothing"):
        with pytest.raises(UsageProblem, match="knows"):
            await inn.client.result(unknown, wait=False)
    assert await delivered(inn) - before < MOST


async def test_moving_tasks_to_another_priority_reads_a_queue_once(inn: LiveNetwork) -> None:
    before = await delivered(inn)
    moved = [await inn.client.prioritize(f"r{number}", "high") for number in range(10)]
    assert {one.previous for one in moved} == {Priority.NORMAL}
    assert await delivered(inn) - before < MOST
    assert len(await inn.client.requests()) == WAITING
