"""Objects over raw requests, beside the library's own object store on the same bucket."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from nats.js.object_store import ObjectStore

from runner.bus.connection import Connection
from runner.bus.objects import CHUNK_BYTES, CHUNKS_AT_ONCE, Objects
from runner.payload import Kind, PayloadProblem, PayloadsAway, Reference
from tests.support.networks import eventually, live

MOST = 64 * 1024**2
NETWORK = "network: inn\nensembles:\n  spa: {tasks: {relax: {share: true, steps: [{template: ah}]}}}\n"
DAY = timedelta(days=1)


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[Connection]:
    async with live(tmp_path, NETWORK) as inn:
        yield inn.runner._ground.connection


@pytest.fixture
async def objects(connection: Connection) -> Objects:
    return Objects(connection, "inn_payloads")


@pytest.fixture
async def library(connection: Connection) -> ObjectStore:
    return await connection.jetstream().object_store("inn_payloads")


async def chunk_subjects(connection: Connection) -> dict[str, int]:
    info = await connection.jetstream().stream_info("OBJ_inn_payloads", subjects_filter="$O.inn_payloads.C.>")
    return info.state.subjects or {}


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES * (CHUNKS_AT_ONCE + 2) + 7])
async def test_what_either_writes_both_read(objects: Objects, library: ObjectStore, size: int):
    data = bytes(n % 251 for n in range(1000)) * (size // 1000 + 1)
    data = data[:size]
    reference = await objects.put("ours/é", data, kind=Kind.JSON, kept=DAY)
    assert reference == Reference(object="ours/é", size=size, sha256=hashlib.sha256(data).hexdigest())
    found = await library.get("ours/é")
    assert (found.data or b"", found.info.size) == (data, size)
    await library.put("theirs", data)
    theirs = await objects.load_payload(Reference(object="theirs", size=size, sha256=reference.sha256), MOST)
    assert (bytes(theirs.data), theirs.kind) == (data, Kind.UNSAID)


async def test_what_is_replaced_leaves_no_chunks_behind(objects: Objects, connection: Connection):
    await objects.put("menu", b"x" * 2_000_000, kind=Kind.TEXT, kept=None, replace=True)
    before = await chunk_subjects(connection)
    await objects.put("menu", b"soup", kind=Kind.TEXT, kept=None, replace=True)
    after = await chunk_subjects(connection)
    assert len(before) == len(after) == 1
    assert before.keys() != after.keys()
    assert bytes((await objects.load_payload(Reference(object="menu"), MOST)).data) == b"soup"


async def test_what_is_deleted_is_missing(objects: Objects, library: ObjectStore):
    await library.put("menu", b"soup")
    await library.delete("menu")
    with pytest.raises(PayloadProblem, match="there is no object menu"):
        await objects.load_payload(Reference(object="menu"), MOST)


async def test_a_write_that_is_broken_off_leaves_no_object(objects: Objects, connection: Connection):
    writing = asyncio.ensure_future(objects.put("menu", b"x" * 30_000_000, kind=Kind.TEXT, kept=DAY))

    async def has_begun() -> bool:
        return bool(await chunk_subjects(connection))

    await eventually(has_begun, "a first chunk")
    writing.cancel()
    await asyncio.wait((writing,))
    assert writing.cancelled()
    with pytest.raises(PayloadProblem, match="there is no object menu"):
        await objects.load_payload(Reference(object="menu"), MOST)


async def test_reading_needs_no_consumer(objects: Objects, connection: Connection):
    reference = await objects.store_payload(b"x" * 2_000_000, DAY)
    await objects.load_payload(reference, MOST)
    assert (await connection.jetstream().stream_info("OBJ_inn_payloads")).state.consumer_count == 0


async def test_what_is_there_is_gone_after_its_time(objects: Objects):
    reference = await objects.store_payload(b"soup", timedelta(0))

    async def is_gone() -> bool:
        try:
            await objects.load_payload(reference, MOST)
        except PayloadProblem as problem:
            return problem.error.code == "DOCUMENT_MISSING"
        return False

    await eventually(is_gone, "its end")


async def test_a_bucket_that_does_not_answer_is_away_for_both(tmp_path: Path):
    async with live(tmp_path, NETWORK) as inn:
        connection = inn.runner._ground.connection
        objects = Objects(connection, "inn_nothing")
        with pytest.raises(PayloadsAway):
            await objects.store_payload(b"soup", DAY)
        with pytest.raises(PayloadsAway):
            await objects.load_payload(Reference(object="menu"), MOST)
