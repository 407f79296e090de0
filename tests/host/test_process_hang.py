"""A process that hangs, floods its runner or garbles its line: it is seen, and nobody else is held up by it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runner.host.process.talk import LINES_A_SECOND
from runner.reports import EnsembleReport
from runner.work import EnsembleState, Status
from tests.support.networks import LiveNetwork, eventually, live
from tests.support.processes import is_alive
from tests.support.saving import Saver

NETWORK = """
network: ward
defaults: {drain_timeout: 1s}
ensembles:
  patient:
    placement: process
    tools:
      pid: {python: "ward:pid", share: true}
      babble: {python: "ward:babble", share: true}
      garble: {python: "ward:garble", share: true}
      hang: {python: "ward:hang", share: true}
      block: {python: "ward:block", share: true}
      heirs: {python: "ward:heirs", share: true}
      works-by: {python: "ward:works_by", share: true}
    uses: {asked-by: nurse/asked-by}
  nurse:
    capacity: {max_concurrent: 4}
    tools:
      pid: {python: "ward:pid", share: true}
      asked-by: {python: "ward:asked_by", share: true}
"""
WARD = """
import gc
import logging
import os
import subprocess
import sys

from runner import Context

if hasattr(sys.modules["__main__"], "SILENT_SECONDS"):
    sys.modules["__main__"].SILENT_SECONDS = 600.0  # of its own process, which on busy cores is stopped for longer


def pid() -> int:
    return os.getpid()


def babble(lines: int) -> int:
    os.write(1, b"babble\\n" * lines)
    for _ in range(lines // 10):
        logging.getLogger("mutter").warning("mutter")
    return lines


async def garble() -> str:
    # What code could do that does not want to end with its line.
    from runner.host.process.line import Line

    line = next(one for one in gc.get_objects() if isinstance(one, Line))
    line.lost = lambda: None
    line._transport.write(b"garbage" * 100)
    while line.is_open:
        await __import__("asyncio").sleep(0.01)
    import time

    time.sleep(3600)


async def hang(begun: str) -> None:
    import pathlib, time

    pathlib.Path(begun).touch()
    time.sleep(3600)


async def block(begun: str) -> str:
    import pathlib, time

    pathlib.Path(begun).touch()
    time.sleep(3)
    return "it went on"


def asked_by(context: Context) -> int | None:
    return context.request.generation


async def works_by(context: Context) -> object:
    return await context.call("asked-by", {})


def heirs() -> str:
    return subprocess.run(["ls", "-l", "/proc/self/fd"], close_fds=False, capture_output=True, text=True).stdout
"""


@asynccontextmanager
async def ward(directory: Path, *, watch: bool = False) -> AsyncIterator[LiveNetwork]:
    async with live(directory, NETWORK, watch=watch, ward=WARD) as network:
        yield network


async def result(network: LiveNetwork, target: str, given: object = None) -> object:
    response = await network.client.call(target, given or {}, deadline=30)
    assert response.status is Status.COMPLETED, response
    return response.result


async def patient_of(network: LiveNetwork) -> EnsembleReport:
    status = await network.client.status()
    return next(one for one in status.ensembles if one.name == "patient")


async def is_offered(network: LiveNetwork) -> bool:
    """Whether others may be led to it."""
    states = {one.status for one in await network.client.catalog() if one.provider == "patient"}
    return states == {EnsembleState.READY}


async def test_one_that_does_not_answer_is_degraded_for_everybody_until_it_goes_on(tmp_path: Path) -> None:
    async with ward(tmp_path) as network:
        before = (await patient_of(network)).pids[0]
        os.kill(before, signal.SIGSTOP)

        async def is_missed() -> bool:
            return (await patient_of(network)).state is EnsembleState.DEGRADED and not await is_offered(network)

        await eventually(is_missed, "that it is missed")
        assert f"its process (pid {before}) does not answer" in str((await patient_of(network)).detail)
        os.kill(before, signal.SIGCONT)

        async def is_back() -> bool:
            return (await patient_of(network)).state is EnsembleState.READY and await is_offered(network)

        await eventually(is_back, "that it is back")
        assert await result(network, "patient/pid") == before


async def test_one_that_does_not_answer_refuses_no_change_of_another_and_takes_it_up_when_it_goes_on(
    tmp_path: Path,
) -> None:
    async with ward(tmp_path, watch=True) as network:
        saver = Saver(network)
        before = await result(network, "patient/pid")
        assert isinstance(before, int)
        os.kill(before, signal.SIGSTOP)
        more = NETWORK.replace("max_concurrent: 4", "max_concurrent: 9")
        assert await saver.does(("network.yaml", more)) == "~ nurse  capacity.max_concurrent 4 → 9 (live)"
        os.kill(before, signal.SIGCONT)
        assert await result(network, "patient/works-by") == 2
        assert await result(network, "patient/pid") == before


async def test_one_that_does_not_answer_refuses_no_change_of_its_own_and_begins_anew_with_it(tmp_path: Path) -> None:
    async with ward(tmp_path, watch=True) as network:
        saver = Saver(network)
        before = await result(network, "patient/pid")
        assert isinstance(before, int)
        os.kill(before, signal.SIGSTOP)
        changed = NETWORK.replace("placement: process", "placement: process\n    capacity: {max_concurrent: 3}")
        block = await saver.does(("network.yaml", changed))
        assert block == "~ patient  capacity.max_concurrent 16 → 3 (live)"
        await eventually(lambda: not is_alive(before), "the end of the process")

        async def is_up() -> bool:
            now = await patient_of(network)
            return now.state is EnsembleState.READY and now.pids not in ((), (before,))

        await eventually(is_up, "another process")
        assert await result(network, "patient/pid") != before


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        (
            "network.yaml",
            NETWORK.replace("placement: process", "placement: process\n    capacity: {max_concurrent: 3}"),
        ),
        ("ward.py", WARD + "# other code\n"),
    ],
    ids=["live", "rolling"],
)
async def test_one_that_blocks_for_a_moment_ends_what_it_has_in_hand_whatever_is_saved(
    tmp_path: Path, file: str, changed: str
) -> None:
    async with ward(tmp_path, watch=True) as network:
        saver, begun = Saver(network), tmp_path / "begun"
        blocking = asyncio.ensure_future(result(network, "patient/block", str(begun)))
        await eventually(begun.exists, "that it blocks")
        assert "~ patient" in await saver.does((file, changed))
        assert await blocking == "it went on"


async def test_one_that_does_not_answer_holds_up_no_end_of_the_network(tmp_path: Path) -> None:
    async with asyncio.timeout(25):
        async with ward(tmp_path) as network:
            before = (await patient_of(network)).pids[0]
            os.kill(before, signal.SIGSTOP)
        assert not is_alive(before)


async def test_one_that_blocks_is_ended_soon_after_its_time_to_drain_and_its_caller_told_that_it_was_stopped(
    tmp_path: Path,
) -> None:
    async with ward(tmp_path) as network:
        begun = tmp_path / "begun"
        hanging = asyncio.ensure_future(network.client.call("patient/hang", str(begun), deadline=60))
        await eventually(begun.exists, "that it blocks")
        async with asyncio.timeout(9):
            await network.runner.stop_ensembles()
        response = await hanging
        assert response.error is not None
        assert response.error.code == "UNAVAILABLE"
        assert "patient was stopped while it was at work on it" in response.error.message
        assert "the network is stopping" in str(response.error.hint)


async def test_what_a_process_prints_and_logs_is_kept_within_a_bound_and_the_rest_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "runner.ensemble")
    async with ward(tmp_path) as network:
        lines = 100 * LINES_A_SECOND
        assert await result(network, "patient/babble", {"lines": lines}) == lines
        assert await result(network, "nurse/pid") == os.getpid()

        def told() -> list[str]:
            return [record.getMessage() for record in caplog.records]

        await eventually(lambda: any(one.startswith("printed") and "left out" in one for one in told()), "the count")
        assert sum("babble" in one for one in told()) < lines / 2
        assert sum("mutter" in one for one in told()) < lines / 20


async def test_one_whose_line_is_cut_is_ended_and_another_takes_its_place(tmp_path: Path) -> None:
    async with ward(tmp_path) as network:
        before = await result(network, "patient/pid")
        assert isinstance(before, int)
        response = await network.client.call("patient/garble", {}, deadline=60)
        assert (response.status, response.error and response.error.code) == (Status.FAILED, "UNAVAILABLE")
        assert not is_alive(before)

        async def is_up() -> bool:
            return (await patient_of(network)).state is EnsembleState.READY

        await eventually(is_up, "another process")


async def test_what_a_process_starts_inherits_no_line_to_the_runner(tmp_path: Path) -> None:
    async with ward(tmp_path) as network:
        assert "socket:" not in str(await result(network, "patient/heirs"))
