"""What leaves in which order; and a lost connection: whoever waits for the server itself learns it at once, whoever
waits for others waits on."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nats.aio.msg import Msg

from runner.bus import directget
from runner.bus.away import AWAY
from runner.bus.connection import Connection, connect, drain
from runner.bus.keys import key_in
from runner.bus.permissions import EVERYTHING
from runner.bus.questions import Questions
from runner.bus.server import NatsServer
from runner.bus.server_config import ServerFiles
from runner.bus.streams import context, ensure_queue
from runner.errors import ServerFailed
from runner.subjects import Subjects
from tests.support.networks import eventually
from tests.support.processes import brought_to_a_stop
from tests.support.servers import guarded_server, plain_server

AT_ONCE_SECONDS = 5.0
"""Half of what the library waits for an answer that never comes."""


async def nobody(_: object) -> None:
    """Answers nothing."""


async def test_a_connection_that_is_not_made_in_time_is_given_up_though_a_cancellation_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the library loses one that comes while a server refuses it."""
    cancelled = 0

    async def deaf(*_: object, **__: object) -> None:
        nonlocal cancelled
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled += 1
        await asyncio.Event().wait()

    monkeypatch.setattr(Connection, "_select_next_server", deaf)
    monkeypatch.setattr("runner.bus.connection.CONNECT_SECONDS", 0.01)
    with pytest.raises(ServerFailed, match="no NATS server takes _cli"):
        await connect(["nats://127.0.0.1:1"], caller="_cli", credentials=None)
    assert cancelled == 1


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


async def test_a_server_that_goes_is_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="runner.bus")
    async with plain_server(tmp_path) as url:
        connection = await connect([url], caller="_client-a", credentials=None)
    try:
        await eventually(lambda: bool(caplog.records), "a word of it")
        assert {record.levelname for record in caplog.records} == {"INFO"}
    finally:
        await connection.close()


@pytest.mark.parametrize("moment", [Connection.came_back, Connection.lost])
async def test_a_question_during_which_the_connection_came_back_waits_for_whoever_has_yet_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: Callable[[Connection], None]
) -> None:
    """Also where it is answered before the library says that the connection is back."""
    monkeypatch.setattr("runner.bus.connection.FRESH_SECONDS", 0.0)
    nobody_yet = asyncio.Event()

    async def look_again(seconds: float) -> None:
        nobody_yet.set()
        await sleep(seconds)

    sleep = asyncio.sleep
    async with plain_server(tmp_path) as url:
        asker = await connect([url], caller="_client-a", credentials=None)
        runner = await connect([url], caller="_runner", credentials=None)

        async def answer(message: Msg) -> None:
            await runner.publish(message.reply, b"here")

        try:
            asking = asyncio.create_task(Questions(asker, Subjects("inn")).ask("inn.question", seconds=10))
            await sleep(0)  # it is asked
            moment(asker)
            monkeypatch.setattr("runner.bus.questions.asyncio.sleep", look_again)
            await asyncio.wait(
                (asking, waiting := asyncio.create_task(nobody_yet.wait())), return_when="FIRST_COMPLETED"
            )
            waiting.cancel()
            await runner.subscribe("inn.question", cb=answer)
            assert await asking == b"here"
        finally:
            await asker.close()
            await runner.close()


async def test_a_server_that_reads_its_configuration_again_is_asked_again(tmp_path: Path) -> None:
    """Its own API has nobody for a moment then, and a good change would be refused for the one before."""
    leaves = [{"publish": [">"], "subscribe": [">", f"more.{number}"]} for number in range(2)]
    async with guarded_server(tmp_path, leaves[0]) as server:
        connection = await connect((server.url,), caller="_runner", credentials=None)
        try:
            await ensure_queue(connection, Subjects("inn"), "kitchen", 5)
            for number in range(40):
                server.allow(leaves[number % 2])
                for _ in range(25):
                    info = await context(connection).consumer_info("inn_work_kitchen", "normal")
                    assert info.num_pending == 0
        finally:
            await connection.close()


@pytest.mark.parametrize("times", [6, 7])
async def test_the_api_of_a_server_that_takes_its_time_over_it_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """On a busy machine nobody answers there for longer than a tenth of a second."""
    ask, asked = Connection._request, 0
    async with plain_server(tmp_path, jetstream=False) as url:
        connection = await connect([url], caller="_runner", credentials=None)

        async def answer(message: Msg) -> None:
            await message.respond(b"here")

        async def counted(self: Connection, *terms: Any) -> Msg:
            nonlocal asked
            asked += 1
            if asked == times:
                await self.subscribe("$JS.API.INFO", cb=answer)
                await self.flush()
            return await ask(self, *terms)

        monkeypatch.setattr(Connection, "_request", counted)
        assert (await connection.request("$JS.API.INFO", timeout=30)).data == b"here"
        await connection.close()


async def test_a_reading_that_meets_nobody_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    once, asked = directget._one_batch, 0
    async with plain_server(tmp_path) as url:
        connection = await connect([url], caller="_runner", credentials=None)

        async def late(*terms: Any) -> Any:
            nonlocal asked
            asked += 1
            if asked == 3:
                await ensure_queue(connection, Subjects("inn"), "kitchen", 5)
            return await once(*terms)

        monkeypatch.setattr(directget, "_one_batch", late)
        found = [one async for one in directget.read_batch(connection, "inn_work_kitchen", "inn.work.*.kitchen.>")]
        assert found == []
        await connection.close()


async def test_whoever_gives_up_a_flush_does_not_make_the_connection_deaf(tmp_path: Path) -> None:
    async with plain_server(tmp_path) as url:
        connection = await connect([url], caller="_client-a", credentials=None)
        try:
            for _ in range(3):
                flushing = asyncio.ensure_future(connection.flush())
                await asyncio.sleep(0)  # it has asked
                assert connection._pongs
                flushing.cancel()
                await asyncio.wait((flushing,))
                await connection.flush()
        finally:
            await connection.close()


async def test_a_flush_that_is_cancelled_in_the_moment_of_its_answer_is_cancelled(tmp_path: Path) -> None:
    async with plain_server(tmp_path) as url:
        connection = await connect([url], caller="_client-a", credentials=None)
        try:
            flushing = asyncio.ensure_future(connection.flush())
            await asyncio.sleep(0)  # it has asked
            connection._pongs[0].set_result(True)
            flushing.cancel()
            await asyncio.wait((flushing,))
            assert flushing.cancelled()
        finally:
            await connection.close()


@pytest.mark.parametrize("alone", [0, 1, 2, 3])
async def test_what_is_published_first_leaves_first_whether_it_is_alone_or_not(tmp_path: Path, alone: int) -> None:
    """Subscriptions too: whoever has subscribed hears what is published after that."""
    async with plain_server(tmp_path) as url:
        connection = await connect([url], caller="_client-a", credentials=None)
        heard: list[int] = []
        try:
            await connection.publish("numbers", b"-1")
            await connection.subscribe_direct("numbers", lambda message: heard.append(int(message.data)))
            for number in range(200):
                leave = connection.send if number % 4 < alone else connection.publish
                await leave("numbers", str(number).encode())
                if number % 3 == 0:
                    await asyncio.sleep(0)
            await eventually(lambda: len(heard) == 200, "every number")
            assert heard == list(range(200))
        finally:
            await connection.close()


async def test_what_a_server_does_not_take_waits_within_bounds_and_comes_in_order(tmp_path: Path) -> None:
    """One that is stopped: what is published, alone too, waits where the library counts it, not in the socket's own."""
    async with guarded_server(tmp_path, {"publish": [">"], "subscribe": [">"]}) as server:
        connection = await connect((server.url,), caller="_runner", credentials=None)
        heard: list[bytes] = []
        assert server.process is not None
        try:
            await connection.subscribe_direct("parts", lambda message: heard.append(message.data[:8]))
            await connection.flush()
            await brought_to_a_stop(server.process.pid)
            parts = [f"{number:08}".encode() for number in range(400)]
            for part in parts:
                await connection.send("parts", part + bytes(64 * 1024))
                await asyncio.sleep(0)
            assert connection.pending_data_size > 100 * 64 * 1024
            server.process.send_signal(signal.SIGCONT)
            await eventually(lambda: len(heard) == len(parts), "every part")
            assert heard == parts
        finally:
            server.process.send_signal(signal.SIGCONT)
            await connection.close()
