"""Looking into the queues: finding a request, and what goes before it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner.bus import backlog, sightings
from runner.bus.away import AWAY
from runner.bus.backlog import Backlog, Spot
from runner.bus.connection import Connection, connect
from runner.bus.directget import StoredMessage
from runner.bus.keys import key_in
from runner.bus.permissions import EVERYTHING
from runner.bus.requeue import Requeue
from runner.bus.seen import Seen
from runner.bus.server import NatsServer
from runner.bus.server_config import ServerFiles
from runner.bus.sightings import Sightings
from runner.bus.streams import context, drop_queues, ensure_queue
from runner.subjects import Subjects
from runner.work import Priority, WorkRequest, new_trace
from tests.support.networks import eventually
from tests.support.servers import plain_server

SUBJECTS = Subjects("inn")
QUEUES = ("bar", "kitchen")


def request(request_id: str, caller: str = "desk", priority: Priority = Priority.NORMAL) -> WorkRequest:
    return WorkRequest(
        request_id=request_id,
        caller=caller,
        task="cook",
        priority=priority,
        trace_context=new_trace(),
        submitted_at=datetime.now(UTC),
    )


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[Connection]:
    server = NatsServer(ServerFiles(tmp_path))
    key, system = key_in(tmp_path / "runner.nk"), key_in(tmp_path / "system.nk")
    try:
        await server.start({key.public: EVERYTHING}, system.public)
        opened = await connect([server.url], caller="_runner", credentials=key.seed)
        for queue in QUEUES:
            await ensure_queue(opened, SUBJECTS, queue, 10_000)
        yield opened
        await opened.close()
    finally:
        await server.stop()


async def put(connection: Connection, *requests: WorkRequest, provider: str = "kitchen") -> None:
    for one in requests:
        assert await Requeue(connection, SUBJECTS).put(one, provider) is None


async def test_a_request_is_found_as_soon_as_it_is_durable_and_not_once_it_is_gone(connection: Connection) -> None:
    backlog = Backlog(connection, SUBJECTS)
    assert await backlog.find(QUEUES, "desk", "r1") is None
    await put(connection, request("r1"))
    found = await backlog.find(QUEUES, "desk", "r1")
    assert found is not None
    assert (found.call.provider, found.request.request_id) == ("kitchen", "r1")
    assert await backlog.find(QUEUES, "_cli", "r1") is None
    await context(connection).delete_msg(SUBJECTS.work_stream("kitchen"), found.sequence)
    assert await backlog.find(QUEUES, "desk", "r1") is None


async def test_a_request_that_went_to_another_queue_is_found_there(connection: Connection) -> None:
    backlog = Backlog(connection, SUBJECTS)
    await put(connection, request("r1"))
    found = await backlog.find(QUEUES, "desk", "r1")
    assert found is not None
    await put(connection, request("r1"), provider="bar")
    await context(connection).delete_msg(SUBJECTS.work_stream("kitchen"), found.sequence)
    moved = await backlog.find(QUEUES, "desk", "r1")
    assert moved is not None
    assert moved.call.provider == "bar"


async def test_a_request_that_was_sent_twice_is_found_for_as_long_as_either_stands(connection: Connection) -> None:
    backlog = Backlog(connection, SUBJECTS)
    await put(connection, request("r1"))
    first = await backlog.find(QUEUES, "desk", "r1")
    assert await Requeue(connection, SUBJECTS).put(request("r1"), "kitchen", publication=1) is None
    assert await backlog.find(QUEUES, "desk", "r2") is None  # both are seen
    await context(connection).delete_msg(SUBJECTS.work_stream("kitchen"), 2)
    assert await backlog.find(QUEUES, "desk", "r1") == first
    await context(connection).delete_msg(SUBJECTS.work_stream("kitchen"), 1)
    assert await backlog.find(QUEUES, "desk", "r1") is None


async def test_a_server_whose_store_does_not_answer_is_away(tmp_path: Path) -> None:
    """Whoever counts what waits takes that for a pause; anything else would be the end of its task."""
    async with plain_server(tmp_path, jetstream=False) as url:
        opened = await connect([url], caller="_runner", credentials=None)
        backlog = Backlog(opened, SUBJECTS)
        with pytest.raises(AWAY):
            await backlog.head("kitchen", Priority.LOW)
        with pytest.raises(AWAY):
            await backlog.undelivered("kitchen")
        await opened.close()


async def test_who_says_that_he_is_another_hides_nothing_of_the_others(connection: Connection) -> None:
    backlog = Backlog(connection, SUBJECTS)
    await put(connection, request("r1", caller="desk"))
    forged = SUBJECTS.work("mallory", "bar", Priority.NORMAL, "cook")
    await context(connection).publish(forged, request("r1", caller="desk").encode())
    found = await backlog.find(QUEUES, "desk", "r1")
    assert found is not None
    assert found.call.caller == "desk"


async def test_however_many_ask_each_message_is_read_once(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand waiting callers and a backlog of thousands: asking must not cost the one times the other."""
    read: list[int] = []
    see = Sightings._see

    def counted(self: Sightings, seen: Seen, ensemble: str, message: StoredMessage) -> None:
        read.append(message.sequence)
        see(self, seen, ensemble, message)

    monkeypatch.setattr(Sightings, "_see", counted)
    backlog = Backlog(connection, SUBJECTS)
    await put(connection, *(request(f"r{number}") for number in range(300)))
    asked = [backlog.find(QUEUES, "desk", f"r{number}") for number in range(400)]
    found = await asyncio.gather(*asked)
    assert [one.request.request_id for one in found if one] == [f"r{number}" for number in range(300)]
    assert len(read) == 300


async def test_an_id_leads_to_whomever_the_requests_name_that_wait_with_it(connection: Connection) -> None:
    """Those that waited before this runner began, and those that others put in since."""
    await put(connection, request("r1"), request("r2"))
    backlog = Backlog(connection, SUBJECTS)
    assert await backlog.callers(QUEUES, "r1") == ("desk",)
    assert await backlog.callers(QUEUES, "r3") == ()
    await put(connection, request("r1", caller="_cli"), provider="bar")
    assert await backlog.callers(QUEUES, "r1") == ("_cli", "desk")
    handed_on = SUBJECTS.work("kitchen", "bar", Priority.NORMAL, "cook")
    await context(connection).publish(handed_on, request("r1").encode())
    await context(connection).delete_msg(SUBJECTS.work_stream("kitchen"), 1)
    assert await backlog.callers(QUEUES, "r1") == ("_cli", "desk")
    await context(connection).delete_msg(SUBJECTS.work_stream("bar"), 1)
    await context(connection).delete_msg(SUBJECTS.work_stream("bar"), 2)
    assert await backlog.callers(QUEUES, "r1") == ()


async def test_who_is_called_off_while_he_reads_for_others_hides_nothing_from_them(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sightings, "REST_SECONDS", 0.0)
    begun: list[str] = []
    may_read, read_all = asyncio.Event(), sightings.read_batch

    async def slowly(connection: Connection, stream: str, *terms: str, **more: int) -> AsyncIterator[StoredMessage]:
        begun.append(stream)
        await may_read.wait()
        async for message in read_all(connection, stream, *terms, **more):
            yield message

    monkeypatch.setattr(sightings, "read_batch", slowly)
    backlog = Backlog(connection, SUBJECTS)
    await put(connection, request("r1"))
    before = asyncio.ensure_future(backlog.find(("bar",), "desk", "r1"))
    await eventually(lambda: len(begun) == 1, "a reading of another queue")
    called_off, waiting = (asyncio.ensure_future(backlog.find(QUEUES, "desk", "r1")) for _ in range(2))
    await asyncio.sleep(0)
    may_read.set()
    assert await before is None
    may_read.clear()
    await eventually(lambda: len(begun) == 3, "the reading that both wait for")
    called_off.cancel()
    may_read.set()
    found = await waiting
    assert found is not None
    assert found.call.provider == "kitchen"


async def test_more_than_is_remembered_is_not_read_again_for_every_question(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sightings, "REMEMBERED", 50)
    backlog = Backlog(connection, SUBJECTS)
    await put(connection, *(request(f"r{number}") for number in range(200)))
    before = connection.stats["in_msgs"]
    for number in range(20):
        assert await backlog.find(QUEUES, "desk", f"nobody{number}") is None
    assert connection.stats["in_msgs"] - before < 600


async def test_what_is_looked_up_is_found_where_everything_is_read_anew_meanwhile(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that was sent twice, and whose second message is gone: it is still found by the first."""
    store = Backlog(connection, SUBJECTS)
    await put(connection, request("r1"))
    assert await Requeue(connection, SUBJECTS).put(request("r1"), "kitchen", publication=1) is None
    assert await store.find(QUEUES, "desk", "r1") is not None
    read_one = backlog.read_one

    async def read_while_all_is_forgotten(connection: Connection, stream: str, sequence: int) -> StoredMessage | None:
        store.forget()
        return await read_one(connection, stream, sequence) if sequence == 1 else None

    monkeypatch.setattr(backlog, "read_one", read_while_all_is_forgotten)
    found = await store._seen("desk", "r1")
    assert found is not None
    assert found.sequence == 1


async def test_of_what_is_worked_off_little_is_remembered(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sightings, "REMEMBERED", 50)
    store = Backlog(connection, SUBJECTS)
    for begin in range(0, 200, 20):
        await put(connection, *(request(f"r{number}") for number in range(begin, begin + 20)))
        assert await store.find(QUEUES, "desk", f"r{begin}") is not None
        await context(connection).purge_stream(SUBJECTS.work_stream("kitchen"))
    assert len(store._sightings.seen) <= 50 + 20


async def test_the_server_of_before_hides_nothing_of_what_stands_now(connection: Connection) -> None:
    """One that lost what it had gives the same places to other requests."""
    backlog = Backlog(connection, SUBJECTS)
    await put(connection, request("r1"), request("r2"), request("r3"))
    assert await backlog.find(QUEUES, "desk", "r3") is not None
    await drop_queues(connection, SUBJECTS, ["kitchen"])
    await ensure_queue(connection, SUBJECTS, "kitchen", 10_000)
    await put(connection, request("r4"))
    assert await backlog.find(QUEUES, "desk", "r1") is None
    backlog.forget()
    found = await backlog.find(QUEUES, "desk", "r4")
    assert found is not None
    assert found.sequence == 1


async def test_the_position_counts_what_goes_before_and_nothing_that_is_in_hand(connection: Connection) -> None:
    backlog, js = Backlog(connection, SUBJECTS), context(connection)
    low, high = Priority.LOW, Priority.HIGH
    await put(connection, *(request(f"l{number}", priority=low) for number in range(3)))
    await put(connection, *(request(f"h{number}", priority=high) for number in range(2)))
    waiting = {one.request.request_id: one async for one in backlog.waiting("kitchen")}

    async def position(request_id: str) -> int | None:
        found = waiting[request_id]
        return (await backlog.positions("kitchen", [Spot(found.call.priority, found.sequence)]))[0]

    assert [await position(one) for one in ("h0", "h1", "l0", "l1", "l2")] == [0, 1, 2, 3, 4]
    taking = await js.pull_subscribe_bind("low", SUBJECTS.work_stream("kitchen"))
    await taking.fetch(1)
    assert [await position(one) for one in ("l0", "l1", "l2")] == [None, 2, 3]
    assert await backlog.undelivered("kitchen") == 4
    assert await backlog.positions("kitchen", [Spot(low, waiting["l0"].sequence, given_back=True)]) == [2]


async def test_the_head_of_a_queue_tells_since_when_it_waits(connection: Connection) -> None:
    backlog = Backlog(connection, SUBJECTS)
    assert await backlog.head("kitchen", Priority.LOW) is None
    before = datetime.now(UTC).timestamp()
    await put(connection, request("l0", priority=Priority.LOW))

    async def is_seen() -> bool:
        return await backlog.head("kitchen", Priority.LOW) is not None

    await eventually(is_seen, "the consumer has seen it: the server tells it a moment after the acknowledgement")
    since = await backlog.head("kitchen", Priority.LOW)
    assert since is not None
    assert before - 1 <= since <= datetime.now(UTC).timestamp() + 1
