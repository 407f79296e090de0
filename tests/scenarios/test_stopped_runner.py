"""FAULTS 15: a runner is stopped for a while and goes on: its work went to others, and it changes nothing by then."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.work import EnsembleState
from tests.support.networks import PLACEMENTS, Place, eventually
from tests.support.processes import answer_of, client, is_alive, lines, standing, up
from tests.support.terminal import Directory

NETWORK = """\
network: inn
defaults: {drain_timeout: 1s}
ensembles:
  kitchen:
    capacity: {max_concurrent: 1}
    tasks:
      cook: {share: true, steps: [{python: "inn:cook"}]}
"""
MODULE = """\
import asyncio
import os
import sys
from pathlib import Path

here = Path(__file__).parent
apart = hasattr(sys.modules["__main__"], "SILENT_SECONDS")
if apart:
    sys.modules["__main__"].SILENT_SECONDS = 1.0  # of its own process: ten in the product


async def cook(text: str) -> str:
    runner = os.getppid() if apart else os.getpid()
    with (here / "begun").open("a") as stream:
        stream.write(f"{text} {runner} {os.getpid()}\\n")
    while not (here / "release").exists():
        await asyncio.sleep(0.01)
    return f"{text} by {runner}"
"""


@pytest.fixture
def inn(tmp_path: Path) -> Directory:
    directory = Directory(tmp_path)
    directory.write("inn.py", MODULE)
    return directory


@contextmanager
def stopped(process: subprocess.Popen[str]) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def begun(inn: Directory) -> list[tuple[str, int, int]]:
    """What was begun: (dish, runner, process)."""
    return [(dish, int(runner), int(process)) for dish, runner, process in map(str.split, lines(inn, "begun"))]


@PLACEMENTS
async def test_what_a_stopped_runner_had_in_hand_another_ends_and_what_it_does_when_it_goes_on_changes_nothing(
    inn: Directory, place: Place
) -> None:
    """A process that hears nothing from its runner for too long ends itself; it has another when the runner is back."""
    inn.write("network.yaml", place(NETWORK))
    with up(inn) as stays, up(inn, "--join") as other:
        async with client(inn) as network:
            await network.catalog()
            calls = [asyncio.ensure_future(network.call("kitchen/cook", n, request_id=n)) for n in ("soup", "fish")]
            await eventually(lambda: len(begun(inn)) == 2, "a dish on each stove")
            [(lost, _, process)] = [one for one in begun(inn) if one[1] == other.pid]
            with stopped(other):
                if process != other.pid:
                    await eventually(lambda: not is_alive(process), "the end of the process that hears nothing")
                (inn.path / "release").touch()
                async with asyncio.timeout(40):
                    answers = await asyncio.gather(*calls)
                assert [answer_of(answer) for answer in answers] == [f"{n} by {stays.pid}" for n in ("soup", "fish")]

            async def is_back() -> bool:
                [kitchen] = (await network.status()).ensembles
                return (kitchen.state, kitchen.replicas, kitchen.in_flight) == (EnsembleState.READY, 2, 0)

            await eventually(is_back, "both runners with nothing in hand")
            assert [await network.result(n) for n in ("soup", "fish")] == answers
            assert await standing(network) == {"COMPLETED": 2}
            assert [dish for dish, _, _ in begun(inn)].count(lost) == 2
