"""Which of a caller's tool calls nobody has in hand: said only where that is sure, and to nobody else."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from runner.bus.vigil import AskedCalls
from runner.subjects import Subjects, inbox
from tests.support.networks import PLACEMENTS, LiveNetwork, Place, apart, eventually, live
from tests.support.processes import brought_to_a_stop

NETWORK = """\
network: inn
ensembles:
  annex:
    tools:
      hold: {python: "inn:hold", share: true}
"""
MODULE = """\
import asyncio
from pathlib import Path

here = Path(__file__).parent


async def hold() -> str:
    (here / "begun").touch()
    while not (here / "release").exists():
        await asyncio.sleep(0.01)
    return "done"
"""
NOBODYS = "0123456789abcdef"


async def lost(network: LiveNetwork, *tokens: str, at: str | None = None) -> list[str]:
    """Which of the tester's calls of the annex are lost, as the network says."""
    connection = network.client._connection
    asked = AskedCalls(at=at or connection.answers, calls={"annex": tokens})
    subject = Subjects("inn").lost("_client-tester")
    answer = await connection.request(subject, asked.model_dump_json().encode(), timeout=10)
    found = json.loads(answer.data)
    assert isinstance(found, list)
    return found


@PLACEMENTS
async def test_a_call_is_lost_that_nobody_has_and_not_one_that_somebody_works_on(tmp_path: Path, place: Place) -> None:
    async with live(tmp_path, place(NETWORK), inn=MODULE) as network:
        held = asyncio.ensure_future(network.client.call("annex/hold", {}))
        await eventually((tmp_path / "begun").exists, "in hand")
        (token,) = [token for token, subject in network.client._connection.asked() if ".tool." in subject]

        async def is_told() -> bool:
            return await lost(network, token, NOBODYS) == [NOBODYS]

        await eventually(is_told, "the runner to be acquainted with the others")
        (tmp_path / "release").touch()
        await held
        assert await lost(network, token) == [token]


async def test_of_a_process_that_does_not_say_what_it_has_no_call_is_lost(tmp_path: Path) -> None:
    async with live(tmp_path, apart(NETWORK), inn=MODULE) as network:

        async def is_told() -> bool:
            return await lost(network, NOBODYS) == [NOBODYS]

        await network.client.call("annex/hold", {}, deadline=0.1)
        await eventually(is_told, "the runner to be acquainted with the others")
        (report,) = (await network.client.status()).ensembles
        (pid,) = report.pids
        await brought_to_a_stop(pid)
        try:
            assert await lost(network, NOBODYS) == []
        finally:
            os.kill(pid, signal.SIGCONT)
        await eventually(is_told, "the process to go on")


async def test_nobody_is_told_of_calls_that_are_somebody_elses(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with live(tmp_path, NETWORK, inn=MODULE) as network:
        asking = asyncio.ensure_future(lost(network, NOBODYS, at=f"{inbox('_client-other')}.x."))
        await eventually(lambda: "for calls of somebody else" in caplog.text, "a word of it")
        assert not asking.done()
        asking.cancel()
