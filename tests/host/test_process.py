"""An ensemble in a process of its own: it works as any other, and its end ends nothing else."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from runner.host.happenings import EnsembleMoved
from runner.reports import EnsembleReport
from runner.work import EnsembleState, Status
from tests.support.networks import LiveNetwork, eventually, live

NETWORK = """
network: apart
ensembles:
  shop:
    placement: process
    uses: {stock: depot/count}
    tools:
      pid: {python: "shop:pid", share: true}
      ask: {python: "shop:ask", share: true}
      quit: {python: "shop:quit", share: true}
    tasks:
      sell: {share: true, steps: [{python: "shop:sell"}]}
      fall: {share: true, steps: [{python: "shop:fall"}]}
      die: {share: true, steps: [{python: "shop:die"}]}
  depot:
    tools:
      count: {python: "depot:count", share: true}
      where: {python: "depot:where", share: true}
"""
SHOP = """
import os
import pathlib
import runner

def pid(text: str):
    return os.getpid()

async def ask(text: str, context: runner.Context):
    return await context.call("stock", text)

def quit(text: str):
    os._exit(int(text))

def fall(text: str):
    path = pathlib.Path(text)
    if not path.exists():
        path.write_text(str(os.getpid()))
        os._exit(1)
    return "done"

def die(text: str):
    os._exit(9)

def sell(text: str):
    return f"sold {text} by {os.getpid()}"
"""
DEPOT = """
import os

def count(text: str):
    return f"7 of {text}"

def where(text: str):
    return os.getpid()
"""


async def shop_of(network: LiveNetwork) -> EnsembleReport:
    status = await network.client.status()
    return next(one for one in status.ensembles if one.name == "shop")


async def another_than(network: LiveNetwork, pid: int) -> int:
    """The process that took the place of one that ended."""

    async def is_up() -> bool:
        shop = await shop_of(network)
        return shop.state is EnsembleState.READY and shop.pids not in ((), (pid,))

    await eventually(is_up, "another process")
    return (await shop_of(network)).pids[0]


async def result(network: LiveNetwork, target: str, text: str = "lamps") -> object:
    response = await network.client.call(target, text, deadline=60)
    assert response.status is Status.COMPLETED, response
    return response.result


async def test_it_works_in_another_process_than_its_runner(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, shop=SHOP, depot=DEPOT) as network:
        assert await result(network, "shop/pid") != os.getpid()
        assert await result(network, "depot/where") == os.getpid()
        assert await result(network, "shop/ask") == "7 of lamps"
        assert str(await result(network, "shop/sell")).startswith("sold lamps")


async def test_a_killed_one_is_ready_again_and_nobody_else_notices(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, shop=SHOP, depot=DEPOT) as network:
        before = (await shop_of(network)).pids[0]
        assert await result(network, "shop/pid") == before
        os.kill(before, signal.SIGKILL)
        after = await another_than(network, before)
        assert await result(network, "shop/pid") == after
        assert await result(network, "shop/ask") == "7 of lamps"
        assert await result(network, "depot/where") == os.getpid()
        moves = [
            (one.state, one.detail)
            for one in network.happenings
            if isinstance(one, EnsembleMoved) and one.ensemble == "shop"
        ]
        assert moves[-3:] == [
            (
                EnsembleState.DEGRADED,
                f"its process (pid {before}) ended with signal 9 (SIGKILL); starting again in 0.1 s",
            ),
            (EnsembleState.STARTING, "its process ended with signal 9 (SIGKILL): another one is starting"),
            (EnsembleState.READY, None),
        ]


async def test_a_tool_call_in_hand_of_a_process_that_ends_fails_at_once(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, shop=SHOP, depot=DEPOT) as network:
        response = await network.client.call("shop/quit", "7", deadline=600)
        assert response.status is Status.FAILED
        assert response.error is not None
        assert response.error.code == "UNAVAILABLE"
        assert "ended with exit code 7" in response.error.message


async def test_a_task_of_a_process_that_ends_is_worked_off_by_the_next(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, shop=SHOP, depot=DEPOT) as network:
        before = (await shop_of(network)).pids[0]
        once = tmp_path / "once"
        assert await result(network, "shop/fall", str(once)) == "done"
        assert (await shop_of(network)).pids != (before,)
        assert once.read_text() == f"{before}"


async def test_work_that_ends_every_process_goes_to_the_dead_letters_and_the_rest_flows_on(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, shop=SHOP, depot=DEPOT) as network:
        poison = await network.client.call("shop/die", "now", deadline=60)
        assert poison.status is Status.FAILED
        assert poison.error is not None
        assert poison.error.code == "DEAD_LETTER"
        assert str(await result(network, "shop/sell")).startswith("sold lamps")
        assert await result(network, "depot/where") == os.getpid()
