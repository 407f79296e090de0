"""A lost connection: whoever waits for the server itself learns it at once, whoever waits for others waits on."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from runner.bus.away import AWAY
from runner.bus.connection import Connection, connect, drain
from runner.bus.keys import key_in
from runner.bus.permissions import EVERYTHING
from runner.bus.server import NatsServer
from runner.bus.server_config import ServerFiles
from tests.support.networks import eventually

AT_ONCE_SECONDS = 5.0
"""Half of what the library waits for an answer that never comes."""


async def nobody(_: object) -> None:
    """Answers nothing."""


async def test_what_the_dead_server_was_to_answer_is_not_waited_for(tmp_path: Path) -> None:
    """A record's write, a barrier, the end of a subscription; a tool may still answer when the connection is back."""
    runner, system = key_in(tmp_path / "runner.nk"), key_in(tmp_path / "system.nk")
    server = NatsServer(ServerFiles(tmp_path))
    await server.start({runner.public: EVERYTHING}, system.public)
    connection = await connect([server.url], caller="_runner", credentials=runner.seed)
    try:
        for subject in ("$KV.inn_results.>", "inn.work.>", "inn.tool.>"):
            await connection.subscribe(subject, cb=nobody)
        ended = await connection.subscribe("ended", cb=nobody)
        waiting = [asked(connection, subject) for subject in ("$KV.inn_results.a", "inn.work.a.b.normal.c")]
        tool = asked(connection, "inn.tool.a.b.c")
        await connection.flush()
        os.kill(int(ServerFiles(tmp_path).pid.read_text()), signal.SIGKILL)
        waiting += [asyncio.ensure_future(connection.flush()), asyncio.ensure_future(drain(ended))]
        async with asyncio.timeout(AT_ONCE_SECONDS):
            for outcome in await asyncio.gather(*waiting, return_exceptions=True):
                assert isinstance(outcome, AWAY)
        assert not tool.done()
        tool.cancel()
        await eventually(lambda: not connection.is_connected, "the loss")
        with pytest.raises(AWAY):
            await connection.flush()
        assert ended._id not in connection._subs
    finally:
        await connection.close()
        await server.stop()


def asked(connection: Connection, subject: str) -> asyncio.Future[object]:
    return asyncio.ensure_future(connection.request(subject, b"", timeout=60))
