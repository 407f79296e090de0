"""Contexts and results too large for a message: by reference through the object store, and nobody notices."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from pydantic import JsonValue

from runner.bus.keys import key_in
from runner.errors import UsageProblem
from runner.payload import INLINE_BYTES
from runner.state import State
from runner.work import DeliverySpec, Record, Standing, Status, WorkResponse
from tests.support.networks import LiveNetwork, eventually, live

MOST = 3 * 1024 * 1024
NETWORK = f"""\
network: inn
defaults: {{drain_timeout: 200ms, max_payload: {MOST}}}
ensembles:
  desk:
    uses: {{say: kitchen/say, tell: kitchen/tell, fill: kitchen/fill}}
    tasks:
      ask-tool: {{share: true, steps: [{{use: say}}]}}
      ask-task: {{share: true, steps: [{{use: tell}}]}}
      ask-much: {{share: true, steps: [{{use: fill}}]}}
      hand-on: {{share: true, steps: [{{handoff: tell}}]}}
  kitchen:
    tools:
      say: {{python: "inn:say", share: true}}
      fill: {{python: "inn:fill", share: true}}
      count: {{python: "inn:count", share: true}}
      refer: {{python: "inn:refer", share: true}}
      spoil: {{python: "inn:spoil", share: true}}
    tasks:
      tell: {{share: true, steps: [{{tool: say}}]}}
      fill-slowly: {{share: true, steps: [{{tool: fill}}]}}
      fail-late: {{share: true, steps: [{{id: much, tool: fill}}, {{tool: spoil}}]}}
      typed:
        share: true
        input_schema: {{type: object, required: [name], properties: {{name: {{type: string}}}}}}
        steps: [{{template: "{{{{ context.name[:3] }}}}"}}]
"""
MODULE = """\
import pathlib

import runner

effects = pathlib.Path(__file__).parent / "effects"


async def say(text: object) -> object:
    with effects.open("a") as stream:
        stream.write("said\\n")
    return text


async def fill(text: str) -> str:
    return "y" * int(text)


async def count(text: str) -> int:
    return len(text)


async def refer(text: str) -> object:
    return {"$payload": {"object": text} if text else "nonsense"}


async def spoil(text: str) -> str:
    raise RuntimeError("the soup is spoilt")
"""
QUOTES = 2
"""What JSON adds to plain text."""


@pytest.fixture
async def inn(tmp_path: Path) -> AsyncIterator[LiveNetwork]:
    async with live(tmp_path, NETWORK, inn=MODULE) as network:
        yield network


async def call(inn: LiveNetwork, target: str, context: JsonValue = "", **terms: object) -> WorkResponse:
    response = await inn.client.call(target, context, **terms)
    assert isinstance(response, WorkResponse)
    return response


def ended(response: WorkResponse) -> tuple[Status, str | None]:
    return response.status, response.error.code if response.error else None


async def operator(inn: LiveNetwork, refusals: list[str] | None = None) -> Client:
    """A plain client with the operator's credential."""
    running = State(inn.workspace.state).running()
    assert running is not None
    denied = [] if refusals is None else refusals

    async def on_error(problem: Exception) -> None:
        denied.append(str(problem))

    return await nats.connect(list(running.url), nkeys_seed_str=running.credentials, error_cb=on_error)


async def overseer(inn: LiveNetwork) -> Client:
    """A plain client with the runner's own credential."""
    state = State(inn.workspace.state)
    running = state.running()
    assert running is not None
    return await nats.connect(list(running.url), nkeys_seed_str=key_in(state.keys / "runner.nk").seed)


async def objects(connection: Client) -> int:
    info = await connection.jetstream().stream_info("OBJ_inn_payloads", subjects_filter="$O.inn_payloads.M.>")
    return len(info.state.subjects or {})


@pytest.mark.parametrize("target", ["kitchen/say", "kitchen/tell", "desk/ask-tool", "desk/ask-task", "desk/hand-on"])
@pytest.mark.parametrize("size", [INLINE_BYTES - QUOTES, INLINE_BYTES - QUOTES + 1, MOST - QUOTES])
async def test_a_large_context_and_a_large_result_are_carried_as_if_they_were_small(
    inn: LiveNetwork, target: str, size: int
):
    context = "é" + "x" * (size - 2)
    response = await call(inn, target, context)
    assert ended(response) == (Status.COMPLETED, None)
    assert response.result == context


async def test_only_what_is_over_512_kib_goes_through_the_object_store(inn: LiveNetwork):
    connection = await operator(inn)
    try:
        await call(inn, "kitchen/count", "x" * (INLINE_BYTES - QUOTES))
        assert await objects(connection) == 0
        await call(inn, "kitchen/count", "x" * (INLINE_BYTES - QUOTES + 1))
        assert await objects(connection) == 1
    finally:
        await connection.close()


async def test_structures_are_carried_too(inn: LiveNetwork):
    meals: JsonValue = {"meals": [{"name": f"meal {n}", "price": n / 4, "hot": n % 2 == 0} for n in range(30_000)]}
    assert (await call(inn, "kitchen/tell", {"text": meals})).result == meals


async def test_text_that_came_by_reference_goes_on_by_the_same_one(inn: LiveNetwork):
    connection = await operator(inn)
    try:
        response = await call(inn, "desk/ask-tool", "x" * 1_000_000)
        assert response.status is Status.COMPLETED
        assert await objects(connection) == 3  # the context once, and two results
    finally:
        await connection.close()


@pytest.mark.parametrize("target", ["kitchen/count", "kitchen/tell", "desk/ask-task"])
async def test_a_context_over_the_limit_is_refused_before_anything_is_sent(inn: LiveNetwork, target: str):
    connection = await operator(inn)
    try:
        response = await call(inn, target, "x" * (MOST - QUOTES + 1))
        assert ended(response) == (Status.REJECTED, "PAYLOAD_TOO_LARGE")
        assert response.error is not None
        assert "`defaults.max_payload` allows 3,145,728" in response.error.message
        assert await objects(connection) == 0
        assert not (inn.workspace.directory / "effects").exists()
    finally:
        await connection.close()


@pytest.mark.parametrize("target", ["kitchen/fill", "kitchen/fill-slowly", "desk/ask-much"])
async def test_a_result_over_the_limit_is_a_failure_that_names_it(inn: LiveNetwork, target: str):
    assert (await call(inn, target, str(MOST - QUOTES))).status is Status.COMPLETED
    response = await call(inn, target, str(MOST - QUOTES + 1))
    assert ended(response) == (Status.FAILED, "PAYLOAD_TOO_LARGE")
    assert response.error is not None
    assert (response.error.hint or "").startswith("return less")
    assert response.error is not None
    assert "`defaults.max_payload` allows 3,145,728" in response.error.message


async def test_what_was_finished_before_a_failure_may_be_large(inn: LiveNetwork):
    response = await call(inn, "kitchen/fail-late", "1000000")
    assert ended(response) == (Status.FAILED, "HANDLER_FAILED")
    assert response.partial == {"much": "y" * 1_000_000}


async def test_a_large_result_is_there_for_whoever_asks_later(inn: LiveNetwork):
    await inn.client.call("kitchen/fill-slowly", "1000000", mode="async", request_id="later")
    response = await inn.client.result("later")
    assert isinstance(response, WorkResponse)
    assert response.result == "y" * 1_000_000
    repeated = await call(inn, "kitchen/fill-slowly", "1000000", request_id="later")
    assert repeated.result == response.result


async def test_a_large_result_outlives_the_server(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        await call(inn, "kitchen/tell", "x" * 1_000_000, request_id="before")
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        response = await inn.client.result("before")
        assert isinstance(response, WorkResponse)
        assert response.result == "x" * 1_000_000


async def test_a_large_context_waits_for_its_provider_through_a_restart_of_the_server(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE, without=frozenset({"kitchen"})) as inn:
        standing = await inn.client.call("kitchen/tell", "x" * 1_000_000, mode="async", request_id="waits")
        assert isinstance(standing, Standing)
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        response = await inn.client.result("waits")
        assert isinstance(response, WorkResponse)
        assert response.result == "x" * 1_000_000


@pytest.mark.parametrize(
    ("name", "data", "value"),
    [
        ("menu.txt", b"{tomato} soup", "{tomato} soup"),
        ("menu", "crème brûlée".encode(), "crème brûlée"),
        ("menu.json", b'"soup"', "soup"),
        ("menu", b' {"text": {"soup": 4}}', {"soup": 4}),
        ("menu", b"[1, 2", "[1, 2"),
        ("menu", b"42", "42"),
        ("empty", b"", ""),
        ("a menu/with é.txt", b"x" * 2_000_000, "x" * 2_000_000),
    ],
)
@pytest.mark.parametrize("target", ["kitchen/say", "desk/ask-task"])
async def test_a_document_that_any_client_put_there_is_passed_by_its_name(
    inn: LiveNetwork, target: str, name: str, data: bytes, value: JsonValue
):
    refusals: list[str] = []
    connection = await operator(inn, refusals)
    try:
        store = await connection.jetstream().object_store("inn_payloads")
        await store.put(name, b"what stood there before")
        await store.put(name, data)
        response = await call(inn, target, {"$payload": {"object": name}})
        assert (response.status, response.result) == (Status.COMPLETED, value)
        assert refusals == []
    finally:
        await connection.close()


async def test_a_typed_task_judges_the_document_and_not_the_reference(inn: LiveNetwork):
    fits = await inn.client.upload(b'{"name": "tomato soup"}')
    assert (await call(inn, "kitchen/typed", fits)).result == "tom"
    assert ended(await call(inn, "kitchen/typed", await inn.client.upload(b"[]"))) == (Status.REJECTED, "INVALID_INPUT")


async def test_an_uploaded_file_is_what_the_work_sees(inn: LiveNetwork, tmp_path: Path):
    path = tmp_path / "menu.json"
    path.write_text(json.dumps({"text": ["tomato"] * 100_000}))
    reference = await inn.client.upload(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert reference["$payload"]["sha256"] == digest  # type: ignore[index,call-overload]
    assert (await call(inn, "kitchen/say", reference)).result == ["tomato"] * 100_000
    named = await inn.client.upload(b"first", name="menu")
    assert named == {"$payload": {"object": "menu", "bytes": 5, "sha256": hashlib.sha256(b"first").hexdigest()}}
    await inn.client.upload(b"second", name="menu")
    assert (await call(inn, "kitchen/say", {"$payload": {"object": "menu"}})).result == "second"
    assert ended(await call(inn, "kitchen/say", named)) == (Status.REJECTED, "DOCUMENT_MISSING")


async def test_what_cannot_be_passed_is_not_uploaded(inn: LiveNetwork, tmp_path: Path):
    (tmp_path / "broken.json").write_text("{")
    for given, message in (
        (b"\xff\xfe\x00", "the document is neither text nor JSON"),
        (b"x" * (MOST + 1), "`defaults.max_payload` allows 3,145,728"),
        (tmp_path / "broken.json", "is no JSON"),
        (tmp_path / "none.txt", "cannot read"),
    ):
        with pytest.raises(UsageProblem, match=message):
            await inn.client.upload(given)
    connection = await operator(inn)
    try:
        assert await objects(connection) == 0
    finally:
        await connection.close()


@pytest.mark.parametrize("target", ["kitchen/say", "kitchen/tell"])
@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ({"object": "nothing-there"}, "DOCUMENT_MISSING"),
        ({"object": "menu", "bytes": 5}, "DOCUMENT_MISSING"),
        ({"object": "menu", "sha256": "0" * 64}, "DOCUMENT_MISSING"),
        ({"object": "picture"}, "INVALID_INPUT"),
        ({"object": "huge"}, "PAYLOAD_TOO_LARGE"),
        ({"object": "menu", "bytes": MOST + 1}, "PAYLOAD_TOO_LARGE"),
        ({}, "INVALID_INPUT"),
        ({"object": ""}, "INVALID_INPUT"),
        ({"object": "menu", "sha256": "short"}, "INVALID_INPUT"),
        ({"object": "menu", "bytes": "many"}, "INVALID_INPUT"),
        ("menu", "INVALID_INPUT"),
        (None, "INVALID_INPUT"),
    ],
)
async def test_a_reference_that_leads_nowhere_starts_no_work(
    inn: LiveNetwork, target: str, reference: JsonValue, code: str
):
    connection = await operator(inn)
    try:
        store = await connection.jetstream().object_store("inn_payloads")
        await store.put("menu", b"soup")
        await store.put("picture", b"\x89PNG\xff")
        await store.put("huge", b"x" * (MOST + 1))
        response = await call(inn, target, {"$payload": reference})
        assert ended(response) == (Status.REJECTED, code)
        assert not (inn.workspace.directory / "effects").exists()
    finally:
        await connection.close()


async def test_an_object_that_was_tampered_with_is_refused(inn: LiveNetwork):
    reference = await inn.client.upload(b"x" * 2_000_000, name="menu")
    connection = await overseer(inn)
    try:
        stream = connection.jetstream()
        info = await stream.stream_info("OBJ_inn_payloads", subjects_filter="$O.inn_payloads.C.>")
        (chunks,) = info.state.subjects or {}
        await stream.purge_stream("OBJ_inn_payloads", subject=chunks)
        await stream.publish(chunks, b"y" * 2_000_00)
        assert ended(await call(inn, "kitchen/say", reference)) == (Status.REJECTED, "DOCUMENT_MISSING")
        await stream.purge_stream("OBJ_inn_payloads", subject=chunks)
        for _ in range(4):
            await stream.publish(chunks, b"y" * 500_000)  # as long as before
        unhashed: JsonValue = {"$payload": {"object": "menu"}}
        assert ended(await call(inn, "kitchen/say", unhashed)) == (Status.REJECTED, "DOCUMENT_MISSING")
    finally:
        await connection.close()


async def test_a_result_whose_object_is_gone_is_a_coded_failure(inn: LiveNetwork):
    await call(inn, "kitchen/fill-slowly", "1000000", request_id="gone")
    connection = await overseer(inn)
    try:
        await connection.jetstream().purge_stream("OBJ_inn_payloads")
        response = await inn.client.result("gone")
        assert isinstance(response, WorkResponse)
        assert ended(response) == (Status.FAILED, "DOCUMENT_MISSING")
    finally:
        await connection.close()


async def test_a_tool_may_answer_with_a_document(inn: LiveNetwork):
    await inn.client.upload(b"soup", name="menu")
    assert (await call(inn, "kitchen/refer", "menu")).result == "soup"
    assert ended(await call(inn, "kitchen/refer", "none")) == (Status.FAILED, "DOCUMENT_MISSING")
    assert ended(await call(inn, "kitchen/refer", "")) == (Status.FAILED, "INVALID_RESPONSE")


async def test_objects_leave_when_nobody_can_need_them_any_more(inn: LiveNetwork):
    await call(inn, "kitchen/tell", "x" * 1_000_000, deadline=60)
    connection = await overseer(inn)
    try:
        stream = connection.jetstream()
        info = await stream.stream_info("OBJ_inn_payloads", subjects_filter="$O.inn_payloads.>")
        lasts = {
            int((await stream.get_last_msg("OBJ_inn_payloads", subject)).headers["Nats-TTL"].rstrip("s"))
            for subject in info.state.subjects or {}
        }
        context, result = sorted(lasts)
        assert 60 + 14 * 60 < context <= 60 + 15 * 60
        assert result == 24 * 3600 + 15 * 60
    finally:
        await connection.close()


async def test_a_full_store_is_an_error_that_says_so(inn: LiveNetwork):
    connection = await overseer(inn)
    try:
        stream = connection.jetstream()
        config = (await stream.stream_info("OBJ_inn_payloads")).config
        await stream.update_stream(config.evolve(max_bytes=600_000))
        for target, context in (("kitchen/count", "x" * 1_000_000), ("kitchen/fill", "1000000")):
            response = await call(inn, target, context)
            assert ended(response) == (Status.FAILED, "UNAVAILABLE")
            assert response.error is not None
            assert "object store for large payloads is full" in response.error.message
    finally:
        await connection.close()


async def test_a_large_result_is_delivered_by_reference_and_stored_for_as_long_as_its_key(inn: LiveNetwork):
    for delivery in ("queue:orders", "topic:parties", "store:board"):
        response = await call(inn, "kitchen/fill-slowly", "1000000", delivery=delivery)
        assert response.result == "y" * 1_000_000
    short = DeliverySpec(method="store", key="soon", ttl="PT1H")  # type: ignore[arg-type]
    await call(inn, "kitchen/fill-slowly", "600000", delivery=short)
    connection = await operator(inn)
    try:
        jetstream = connection.jetstream()
        store = await jetstream.object_store("inn_payloads")
        queue = await jetstream.pull_subscribe("inn.queue.orders", durable="orders", stream="inn_queue")
        topic = await jetstream.pull_subscribe("inn.topic.parties", durable="lobby", stream="inn_topic")
        board = await jetstream.key_value("inn_deliveries")
        taken = [(await each.fetch(1, timeout=10))[0].data for each in (queue, topic)]
        taken.append((await board.get("board")).value)
        for data in taken:
            reference = json.loads(data)["result"]["$payload"]
            found = await store.get(reference["object"])
            assert json.loads(found.data) == "y" * 1_000_000
            assert hashlib.sha256(found.data).hexdigest() == reference["sha256"]
        meta = await jetstream.get_last_msg("OBJ_inn_payloads", "$O.inn_payloads.M.ZGVsaXZlcmVkL3Nvb24=")
        assert meta.headers is not None
        assert meta.headers["Nats-TTL"] == "3600s"
        for again in ("one", "two"):
            await call(inn, "kitchen/fill-slowly", "700000", delivery="store:board", request_id=again)
        reference = json.loads((await board.get("board")).value)["result"]["$payload"]
        assert json.loads((await store.get(reference["object"])).data) == "y" * 700_000
    finally:
        await connection.close()


async def test_the_record_of_a_large_result_is_small(inn: LiveNetwork):
    await call(inn, "kitchen/fill-slowly", "1000000", request_id="small")
    connection = await overseer(inn)
    try:
        record = Record.model_validate_json(
            (await (await connection.jetstream().key_value("inn_results")).get("_client-tester.small")).value
        )
        assert len(record.encode()) < 2_000
        assert record.response is not None
        assert record.response.result is not None
    finally:
        await connection.close()


async def test_many_large_calls_go_side_by_side(inn: LiveNetwork):
    texts = [str(n) * 600_000 for n in range(8)]
    responses = await asyncio.gather(*(call(inn, "kitchen/tell", text) for text in texts))
    assert [response.result for response in responses] == texts


async def test_a_caller_is_answered_although_the_server_restarts_while_its_payload_travels(inn: LiveNetwork):
    server = State(inn.workspace.state).directory / "nats-server.pid"
    calls = [asyncio.ensure_future(call(inn, "kitchen/tell", str(n) * 2_000_000)) for n in range(6)]
    connection = await operator(inn)
    try:
        await eventually(lambda: _any_object(connection), "an object in the store")
    finally:
        await connection.close()
    os.kill(int(server.read_text()), signal.SIGKILL)
    responses = await asyncio.gather(*calls)
    assert [response.status for response in responses] == [Status.COMPLETED] * 6


async def _any_object(connection: Client) -> bool:
    return await objects(connection) > 0
