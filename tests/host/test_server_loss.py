"""The server dies under a running network, and comes back by itself."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from runner.errors import NotRunning
from runner.host.happenings import Notice
from runner.work import Status, WorkResponse
from tests.support.networks import LiveNetwork, eventually, live

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


async def answers(inn: LiveNetwork) -> bool:
    try:
        return len((await inn.client.status()).ensembles) == 2
    except NotRunning:
        return False
