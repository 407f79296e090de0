"""User code that keeps the event loop from everybody else is told of: which, where, and for how long."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.host.happenings import Happening, Notice, Worked
from runner.work import Status
from tests.support.networks import LiveNetwork, eventually, live

NETWORK = """\
network: inn
ensembles:
  kitchen:
    placement: inline
    tools:
      stall: {python: "inn:stall", share: true}
      wait: {python: "inn:wait", share: true}
    tasks:
      cook: {share: true, steps: [{python: "inn:stall"}]}
"""
INN = """\
import asyncio
import pathlib
import time


async def stall(gate: str) -> str:
    await asyncio.sleep(0)
    return held(gate)


def wait(gate: str) -> str:
    return held(gate)


def held(gate: str) -> str:
    while not pathlib.Path(gate).exists():
        time.sleep(0.01)
    return "done"
"""
SLEEPS = """\
import time


async def stall(_: str) -> str:
    time.sleep(4)
    return "done"


def wait() -> str:
    return "done"
"""
PATIENCE_SECONDS = 60.0


def warned(happenings: list[Happening]) -> list[str]:
    return [one.message for one in list(happenings) if isinstance(one, Notice) and "event loop" in one.message]


def blocked(network: LiveNetwork) -> list[tuple[str, str]]:
    events = [one.event for one in network.happenings if isinstance(one, Worked)]
    return [(event.ensemble, str(event.message)) for event in events if event.kind == "blocked"]


@contextmanager
def opened_when_warned(network: LiveNetwork, gate: Path) -> Iterator[None]:
    """The test's own loop is blocked meanwhile: a thread lets go."""

    def wait() -> None:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not warned(network.happenings) and time.monotonic() < give_up:
            time.sleep(0.01)
        gate.touch()

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@pytest.mark.parametrize("capability", ["kitchen/stall", "kitchen/cook"])
async def test_async_code_that_blocks_the_loop_is_named_while_it_does_and_told_of_afterwards(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capability: str
) -> None:
    gate = tmp_path / "gate"
    async with live(tmp_path, NETWORK, inn=INN) as network:
        with opened_when_warned(network, gate):
            response = await network.client.call(capability, str(gate), deadline=120)
        assert response.status is Status.COMPLETED
        (message,) = warned(network.happenings)
        assert message.startswith(f"{capability} has blocked the event loop for ")
        assert message.endswith(
            " in held): make it a plain function, which runs in a thread, or give the ensemble `placement: process`"
        )
        assert message in caplog.text
        await eventually(lambda: bool(blocked(network)), "the event")
        ((ensemble, told),) = blocked(network)
        assert ensemble == "kitchen"
        assert told.startswith(f"{capability} blocked the event loop for ")
        assert " s (inn.py:" in told


async def test_a_plain_function_that_waits_beside_it_is_not_blamed(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with live(tmp_path, NETWORK, inn=INN) as network:
        with opened_when_warned(network, gate):
            calls = [network.client.call(f"kitchen/{name}", str(gate), deadline=120) for name in ("wait", "stall")]
            responses = await asyncio.gather(*calls)
        assert [response.status for response in responses] == [Status.COMPLETED] * 2
        assert ["kitchen/stall" in message for message in warned(network.happenings)] == [True]


async def test_a_process_tells_of_it_once_it_goes_on(tmp_path: Path) -> None:
    network_yaml = NETWORK.replace("placement: inline", "placement: process")
    async with live(tmp_path, network_yaml, inn=SLEEPS) as network:
        assert (await network.client.call("kitchen/stall", "", deadline=60)).status is Status.COMPLETED
        await eventually(lambda: bool(blocked(network)), "the event")
        ((ensemble, told),) = blocked(network)
        assert ensemble == "kitchen"
        assert told.startswith("kitchen/stall blocked the event loop for ")
        assert told.endswith(" s (inn.py:5 in stall): make it a plain function, which runs in a thread")
