"""FAULTS 11: `kill -9` of nats-server under load, again and again. Nothing accepted is lost, and callers recover."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

from runner.errors import NotRunning
from runner.work import WorkResponse
from tests.support.networks import LiveNetwork, eventually, live

KILLS, LANES, TASKS_A_ROUND = 4, 8, 20
NETWORK = """\
network: inn
ensembles:
  desk:
    uses: {cook: kitchen/cook}
    tasks: {order: {share: true, steps: [{use: cook}]}}
  kitchen:
    capacity: {max_concurrent: 4}
    tools: {taste: {python: "inn:taste", share: true}}
    tasks: {cook: {share: true, steps: [{python: "inn:cook"}]}}
"""
MODULE = """\
import asyncio
from pathlib import Path

here = Path(__file__).parent
tokens = iter(range(10**9))


async def taste(text: str) -> str:
    return text


async def cook(text: str) -> str:
    with (here / "effects").open("a") as stream:
        stream.write(text + "\\n")
    await asyncio.sleep(0.01)
    return f"{text} as {next(tokens)}"
"""


async def test_the_server_is_killed_under_load_and_every_caller_gets_the_one_outcome(tmp_path: Path) -> None:
    """Each result is unlike every other: two outcomes of one request would show."""
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        await inn.client.catalog()
        answers: dict[str, WorkResponse] = {}
        for kill in range(KILLS):
            names = [f"dish-{kill}-{number}" for number in range(TASKS_A_ROUND)]
            load = asyncio.ensure_future(lanes(inn, names, answers))
            await eventually(lambda: any(name in answers for name in names), "the first answers of the round")  # noqa: B023
            kill_server(inn)
            async with asyncio.timeout(60):
                await load
        assert len(answers) == KILLS * TASKS_A_ROUND
        assert [answer.error for answer in answers.values() if answer.error] == []
        for name, answer in answers.items():
            assert await inn.client.result(f"_client-tester/{name}") == answer
        assert Counter(r.status for r in await inn.client.requests()) == {"COMPLETED": 2 * len(answers)}
        tasted = await inn.client.call("kitchen/taste", "salt")
        assert isinstance(tasted, WorkResponse)
        assert tasted.result == "salt"
    assert set((tmp_path / "effects").read_text().splitlines()) == set(answers)


async def lanes(inn: LiveNetwork, names: list[str], answers: dict[str, WorkResponse]) -> None:
    """Order them all, so many at a time."""
    waiting = iter(names)

    async def lane() -> None:
        for name in waiting:
            response = await inn.client.call("desk/order", name, request_id=name, deadline=120)
            assert isinstance(response, WorkResponse)
            answers[name] = response

    await asyncio.gather(*(lane() for _ in range(LANES)))


def kill_server(inn: LiveNetwork) -> None:
    os.kill(int((inn.workspace.state / "nats-server.pid").read_text()), signal.SIGKILL)


async def test_what_was_accepted_without_waiting_is_worked_after_the_server_was_killed(tmp_path: Path) -> None:
    """Nobody listens for these: the queue alone carries them over."""
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        names = [f"dish-{number}" for number in range(40)]
        for name in names:
            await inn.client.call("kitchen/cook", name, mode="async", request_id=name)
            if name == "dish-20":
                kill_server(inn)
        await eventually(lambda: all_done(inn, names), "the end of every task")
        assert await inn.client.requests("PENDING") == ()
    assert set((tmp_path / "effects").read_text().splitlines()) == set(names)


async def all_done(inn: LiveNetwork, names: list[str]) -> bool:
    try:
        reports = await inn.client.requests()
    except NotRunning:
        return False
    return {report.request_id for report in reports if report.status == "COMPLETED"} == set(names)
