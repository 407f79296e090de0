"""FAULTS 14: a handler that outlives `ack_wait`, and the late result of a stale worker. The first outcome stands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from runner.host.runner import running
from runner.work import WorkResponse
from tests.support.networks import LiveNetwork, eventually, live
from tests.support.servers import plain_server

NETWORK = """\
network: inn
ensembles:
  kitchen:
    capacity: {max_concurrent: 1}
    tasks: {cook: {share: true, steps: [{python: "inn:cook"}]}}
"""
MODULE = """\
import asyncio
from pathlib import Path

here = Path(__file__).parent


async def cook(text: str) -> str:
    with (here / "begun").open("a") as stream:
        stream.write("x")
    start = len((here / "begun").read_text())
    while not (here / f"release-{start}").exists():
        await asyncio.sleep(0.01)
    (here / f"ended-{start}").touch()
    return f"start {start}"
"""


@asynccontextmanager
async def two_runners(directory: Path) -> AsyncIterator[LiveNetwork]:
    """One network on two runners, each with a slot, so that what one loses the other is given."""
    async with (
        plain_server(directory) as url,
        live(directory, NETWORK, nats=url, inn=MODULE) as inn,
        running(inn.network, inn.workspace, nats=url),
    ):
        yield inn


def begun(directory: Path) -> int:
    path = directory / "begun"
    return len(path.read_text()) if path.exists() else 0


async def cooked(inn: LiveNetwork) -> WorkResponse:
    response = await inn.client.call("kitchen/cook", "soup", request_id="soup")
    assert isinstance(response, WorkResponse)
    return response


async def test_work_that_outlives_ack_wait_is_kept_by_its_heartbeats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another runner with a free slot stands by, and is not given it."""
    wait = timedelta(seconds=3)
    monkeypatch.setattr("runner.bus.streams.ACK_WAIT", wait)
    monkeypatch.setattr("runner.host.task_queue.ACK_WAIT", wait)
    async with two_runners(tmp_path) as inn:
        soup = asyncio.ensure_future(cooked(inn))
        await eventually(lambda: begun(tmp_path) == 1, "a dish on the stove")
        since = time.monotonic()
        await eventually(lambda: time.monotonic() > since + 2 * wait.total_seconds(), "twice that time")
        (tmp_path / "release-1").touch()
        assert (await soup).result == "start 1"
        assert begun(tmp_path) == 1


async def test_the_late_result_of_a_stale_worker_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first worker falls silent and works on; the second has an outcome before it. The first then ends late."""
    monkeypatch.setattr("runner.bus.streams.ACK_WAIT", timedelta(seconds=1))  # the heartbeats come too late for it
    async with two_runners(tmp_path) as inn:
        (tmp_path / "release-2").touch()
        soup = asyncio.ensure_future(cooked(inn))
        first = await soup
        assert first.result == "start 2"
        (tmp_path / "release-1").touch()
        await eventually((tmp_path / "ended-1").exists, "the end of the stale worker")
        await eventually(lambda: idle(inn), "both runners with nothing in hand")
        assert await inn.client.result("soup") == first
        assert await cooked(inn) == first, "a repeat"
        assert begun(tmp_path) == 2


async def idle(inn: LiveNetwork) -> bool:
    [kitchen] = (await inn.client.status()).ensembles
    return (kitchen.in_flight, await inn.client.requests("PENDING")) == (0, ())
