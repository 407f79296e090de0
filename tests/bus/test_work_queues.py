"""The work queues as the leader handles them, on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from runner.bus.connection import Connection, connect
from runner.bus.keys import key_in
from runner.bus.permissions import EVERYTHING
from runner.bus.requeue import Requeue
from runner.bus.server import NatsServer
from runner.bus.server_config import ServerFiles
from runner.bus.streams import ensure_queue, limit_queue, queue_limit
from runner.bus.work_queues import WorkQueues
from runner.subjects import Subjects, TaskCall
from runner.work import Priority, WorkRequest, new_trace

SUBJECTS = Subjects("inn")


def request(request_id: str) -> WorkRequest:
    return WorkRequest(
        request_id=request_id,
        caller="desk",
        task="cook",
        priority=Priority.HIGH,
        trace_context=new_trace(),
        submitted_at=datetime.now(UTC),
    )


@asynccontextmanager
async def kitchen(directory: Path) -> AsyncIterator[Connection]:
    """A server with the queue of a kitchen."""
    server = NatsServer(ServerFiles(directory))
    user, system = key_in(directory / "user"), key_in(directory / "system")
    await server.start({user.public: EVERYTHING}, system.public)
    try:
        connection = await connect([server.url], caller="_runner", credentials=user.seed)
        await ensure_queue(connection, SUBJECTS, "kitchen", 10)
        yield connection
        await connection.close()
    finally:
        await server.stop()


async def put(connection: Connection, *ids: str) -> list[WorkRequest]:
    requests = [request(request_id) for request_id in ids]
    for asked in requests:
        assert await Requeue(connection, SUBJECTS).put(asked, "kitchen") is None
    return requests


async def sequences(queues: WorkQueues, *, start: int = 1) -> list[int]:
    return [stored.sequence async for stored in queues.stored("kitchen", start=start)]


async def test_a_task_is_found_with_its_place_and_since_when_it_is_durable(tmp_path: Path) -> None:
    async with kitchen(tmp_path) as connection:
        queues = WorkQueues(connection, SUBJECTS)
        [asked] = await put(connection, "r1")
        [stored] = [stored async for stored in queues.stored("kitchen")]
        call = TaskCall("desk", "kitchen", Priority.HIGH, "cook")
        assert (stored.call, stored.request, stored.sequence) == (call, asked, 1)
        assert abs(stored.durable_since - datetime.now(UTC)) < timedelta(minutes=1)
        assert await queues.get("kitchen", 1) == stored
        assert await sequences(queues, start=2) == []


async def test_what_is_deleted_is_gone_and_deleting_it_again_is_no_error(tmp_path: Path) -> None:
    async with kitchen(tmp_path) as connection:
        queues = WorkQueues(connection, SUBJECTS)
        await put(connection, "r1", "r2")
        for _ in range(2):
            await queues.delete("kitchen", 1)
        assert await queues.get("kitchen", 1) is None
        assert await sequences(queues) == [2]
        for sequence in (2, 2, 99):
            await queues.delete("kitchen", sequence)
            assert await queues.get("kitchen", sequence) is None


async def test_what_is_no_task_is_passed_over(tmp_path: Path) -> None:
    async with kitchen(tmp_path) as connection:
        queues = WorkQueues(connection, SUBJECTS)
        await connection.request(SUBJECTS.work("desk", "kitchen", "high", "cook"), b"garbage", timeout=30)
        await put(connection, "r1")
        assert await sequences(queues) == [2]
        assert await queues.get("kitchen", 1) is None


async def test_however_many_submit_at_once_no_more_are_taken_than_the_queue_holds(tmp_path: Path) -> None:
    """And one more, where tasks are being moved in it: from whoever is first, and never a second one."""
    async with kitchen(tmp_path) as connection:
        requeue, queues = Requeue(connection, SUBJECTS), WorkQueues(connection, SUBJECTS)
        told = await asyncio.gather(*(requeue.put(request(f"r{number}"), "kitchen") for number in range(100)))
        assert sum(problem is None for problem in told) == 10

        async def moved(number: int) -> bool:
            async with queues.one_more("kitchen", 10):
                return await requeue.put(request(f"m{number}"), "kitchen") is None

        assert sum(await asyncio.gather(*map(moved, range(20)))) <= 1
        assert len(await sequences(queues)) <= 11
        assert await queue_limit(connection, SUBJECTS, "kitchen") == 10


async def test_a_limit_that_is_changed_while_a_task_is_moved_stays(tmp_path: Path) -> None:
    async with kitchen(tmp_path) as connection:
        queues = WorkQueues(connection, SUBJECTS)
        async with queues.one_more("kitchen", 10):
            assert await queue_limit(connection, SUBJECTS, "kitchen") == 11
            await limit_queue(connection, SUBJECTS, "kitchen", 50)
        assert await queue_limit(connection, SUBJECTS, "kitchen") == 50
        async with queues.one_more("kitchen", 10):  # whoever does not know of it yet
            assert await queue_limit(connection, SUBJECTS, "kitchen") == 50
        assert await queue_limit(connection, SUBJECTS, "kitchen") == 50
