"""Key–value records, on a real server: what is left of what was deleted, and of a watch that came to nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runner.bus.connection import Connection, connect
from runner.bus.keys import key_in
from runner.bus.permissions import EVERYTHING
from runner.bus.records import Bucket
from runner.bus.server import NatsServer
from runner.bus.server_config import ServerFiles
from runner.bus.streams import _bucket as bucket_config
from runner.bus.streams import context, ensure_stream
from runner.subjects import Subjects
from tests.support.networks import eventually

SUBJECTS = Subjects("inn")


@asynccontextmanager
async def server(directory: Path) -> AsyncIterator[Connection]:
    running = NatsServer(ServerFiles(directory))
    user, system = key_in(directory / "user"), key_in(directory / "system")
    await running.start({user.public: EVERYTHING}, system.public)
    try:
        connection = await connect([running.url], caller="_runner", credentials=user.seed)
        yield connection
        await connection.close()
    finally:
        await running.stop()


async def test_the_marker_of_what_was_deleted_goes_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.bus.records.MARKER_SECONDS", 1, raising=False)
    async with server(tmp_path) as connection:
        await ensure_stream(connection, bucket_config(SUBJECTS, "dead", None))
        bucket = Bucket(connection, SUBJECTS.bucket("dead"))
        await bucket.put("a.b", b"value")
        await bucket.delete("a.b")
        assert await bucket.get("a.b") is None

        async def empty() -> bool:
            return (await context(connection).stream_info(f"KV_{SUBJECTS.bucket('dead')}")).state.messages == 0

        await eventually(empty, "the end of the marker")


async def test_a_watch_that_fails_leaves_no_subscription(tmp_path: Path) -> None:
    """There is no such bucket yet; whoever tries until there is would listen once for every attempt."""
    async with server(tmp_path) as connection:
        before = len(connection._subs)
        heard: list[str] = []
        bucket = Bucket(connection, SUBJECTS.bucket("leader"))
        with pytest.raises(Exception):  # noqa: B017 - whatever the server answers
            await bucket.watch(lambda key, _: heard.append(key))
        left = len(connection._subs)
        await ensure_stream(connection, bucket_config(SUBJECTS, "leader", None))
        await bucket.watch(lambda key, _: heard.append(key))
        await bucket.put("leader", b"me")
        await eventually(lambda: bool(heard), "the word")
        assert heard == ["leader"]
        assert left <= before + 1, "the inbox of answers"
