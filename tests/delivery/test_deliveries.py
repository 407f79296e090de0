"""One contract for every method of delivery, over a real server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from nats.aio.msg import Msg

from runner.bus.records import Bucket
from runner.bus.streams import context
from runner.host import deliveries
from runner.host.inline_desk import InlineDesk
from runner.subjects import record_key
from runner.work import DeliverySpec, Record, Status, WorkResponse
from tests.support.deliveries import arrived
from tests.support.networks import LiveNetwork, eventually, live

NETWORK = """\
network: inn
deliveries:
  board: {store: {key: "board/{{ request.from }}/{{ request.requestId }}", ttl: 1h}}
  broken: {store: "{{ request.colour }}"}
  erp: {webhook: "https://erp.example"}
  off: {topic: guests, when: ""}
ensembles:
  desk:
    uses:
      cook: {to: kitchen/cook, delivery: board}
      shout: {to: kitchen/cook, delivery: {topic: guests}}
    tasks:
      order: {share: true, steps: [{use: cook}]}
      announce: {share: true, steps: [{use: shout}]}
  kitchen:
    tools: {say: {python: "inn:say", share: true}}
    tasks:
      cook: {share: true, steps: [{template: "{{ context }}!"}]}
      burn: {share: true, steps: [{python: "inn:burn"}]}
"""
MODULE = """\
async def say(text: str) -> str:
    return text


async def burn(text: str) -> str:
    raise ValueError("burnt")
"""

METHODS = {
    "reply": None,
    "none": None,
    "queue:orders": "inn.queue.orders",
    "topic:guests": "inn.topic.guests",
    "store:k/{{ request.requestId }}": "$KV.inn_deliveries.k/r1",
    "board": "$KV.inn_deliveries.board/_client-tester/r1",
}
"""What is asked for, and the subject that the outcome of request `r1` is found on then."""

KEY_HINT = "letters, digits, `-`, `_`, `/`, `=` and dots between them, at most 512"


@pytest.fixture
async def inn(tmp_path: Path) -> AsyncIterator[LiveNetwork]:
    async with live(tmp_path, NETWORK, inn=MODULE) as network:
        yield network


async def call(inn: LiveNetwork, target: str, context: str = "soup", **terms: object) -> WorkResponse:
    response = await inn.client.call(target, context, **terms)
    assert isinstance(response, WorkResponse)
    return response


@pytest.mark.parametrize("delivery", METHODS)
async def test_the_recorded_outcome_is_delivered_answered_and_kept_under_its_id(inn: LiveNetwork, delivery: str):
    response = await call(inn, "kitchen/cook", delivery=delivery, request_id="r1", deadline=60)
    assert (response.status, response.result) == (Status.COMPLETED, "soup!")
    assert await inn.client.result("r1") == response
    subject = METHODS[delivery]
    delivered = {subject: [response]} if subject else {}
    assert await arrived(inn) == delivered


@pytest.mark.parametrize("delivery", METHODS)
async def test_a_failure_is_delivered_like_any_outcome(inn: LiveNetwork, delivery: str):
    response = await call(inn, "kitchen/burn", delivery=delivery, request_id="r1", deadline=60)
    assert response.status is Status.FAILED
    subject = METHODS[delivery]
    assert await arrived(inn) == ({subject: [response]} if subject else {})


@pytest.mark.parametrize("delivery", METHODS)
async def test_a_repeated_request_joins_the_outcome_and_delivers_nothing_again(inn: LiveNetwork, delivery: str):
    """Heard on the wire, since within its window the server would drop a second one."""
    connection = inn.client._connection
    heard: list[str] = []
    requests: list[Msg] = []

    async def on_delivery(message: Msg) -> None:
        heard.append(message.subject)

    async def on_request(message: Msg) -> None:
        requests.append(message)

    for subject in ("inn.queue.*", "inn.topic.*", "$KV.inn_deliveries.>"):
        await connection.subscribe(subject, cb=on_delivery)
    await connection.subscribe("inn.work.>", cb=on_request)
    await call(inn, "kitchen/cook", delivery=delivery, request_id="r1", deadline=60)
    await connection.request(requests[0].subject, requests[0].data, headers={"Nats-Msg-Id": "another"})

    async def all_done() -> bool:
        return len(requests) == 2 and not await inn.client.requests(state="pending")

    await eventually(all_done, "an empty queue")
    assert heard == ([METHODS[delivery]] if METHODS[delivery] else [])


async def test_what_is_stored_for_a_time_expires_and_the_result_stays(inn: LiveNetwork):
    spec = DeliverySpec(method="store", key="brief", ttl=timedelta(seconds=1))
    response = await call(inn, "kitchen/cook", delivery=spec, request_id="r1", deadline=60)
    store = Bucket(inn.runner._ground.connection, "inn_deliveries")
    kept = await store.get("brief")
    assert kept is not None
    assert WorkResponse.model_validate_json(kept.value) == response

    async def has_expired() -> bool:
        entry = await store.get("brief")
        return entry is None or entry.value == b""

    await eventually(has_expired, "the expiry")
    assert await inn.client.result("r1") == response


async def test_a_use_delivers_by_name_or_on_the_spot_and_goes_on_with_the_result(inn: LiveNetwork):
    assert (await call(inn, "desk/order", deadline=60)).result == "soup!"
    assert (await call(inn, "desk/announce", deadline=60)).result == "soup!"
    found = await arrived(inn)
    assert sorted(subject.rpartition("/")[0] for subject in found) == ["", "$KV.inn_deliveries.board/desk"]
    assert [response.result for responses in found.values() for response in responses] == ["soup!", "soup!"]


@pytest.mark.parametrize(
    ("delivery", "code", "hint"),
    [
        ("bord", "UNKNOWN_DELIVERY", "did you mean `board`?"),
        ("erp", "NOT_YET_SUPPORTED", "queue, topic or store"),
        (DeliverySpec(method="webhook", address="http://x"), "NOT_YET_SUPPORTED", "queue, topic or store"),
        (DeliverySpec(method="quue", address="x"), "UNKNOWN_DELIVERY", "did you mean `queue`?"),
        (
            DeliverySpec(method="queue", address="a.>"),
            "INVALID_REQUEST",
            "lower-case letters, digits and hyphens, a letter first",
        ),
        (DeliverySpec(method="store"), "INVALID_REQUEST", None),
        (DeliverySpec(method="store", key="{{ context }}"), "INVALID_REQUEST", "it sees `request` alone"),
        ("store:{{ request.nosuch }}", "INVALID_REQUEST", None),
        ("broken", "INVALID_REQUEST", None),
        ("store:../x", "INVALID_REQUEST", KEY_HINT),
        ("store:k k", "INVALID_REQUEST", KEY_HINT),
    ],
)
async def test_what_cannot_be_delivered_is_refused_before_any_work(
    inn: LiveNetwork, delivery: str | DeliverySpec, code: str, hint: str | None
):
    response = await call(inn, "kitchen/burn", delivery=delivery, deadline=60)
    assert response.status is Status.REJECTED
    assert response.error is not None
    assert (response.error.code, response.error.hint) == (code, hint)
    assert await arrived(inn) == {}


async def test_a_tool_delivers_nowhere(inn: LiveNetwork):
    response = await call(inn, "kitchen/say", delivery="queue:orders", deadline=60)
    assert response.error is not None
    assert (response.status, response.error.code) == (Status.REJECTED, "INVALID_REQUEST")


async def told_to_have_failed(inn: LiveNetwork, why: str) -> None:
    async def told() -> bool:
        events = [event async for event in inn.client.events(request_id="r1") if event.kind == "delivery-failed"]
        return len(events) == 1 and why in (events[0].message or "")

    await eventually(told, "the event")
    status = await inn.client.requests(state="pending")
    assert status == ()


async def test_a_delivery_that_nobody_takes_is_given_up_and_the_task_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(deliveries, "PAUSES_SECONDS", (0.01, 0.01))
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        ground = inn.runner._ground
        await context(ground.connection).delete_stream("inn_queue")
        response = await call(inn, "kitchen/cook", delivery="queue:orders", request_id="r1", deadline=60)
        assert response.result == "soup!"
        assert await inn.client.result("r1") == response
        await told_to_have_failed(inn, "DELIVERY_FAILED: the result was not delivered")


@pytest.mark.parametrize("delivery", [asked for asked, subject in METHODS.items() if subject])
async def test_a_crash_between_record_and_delivery_is_healed_by_the_redelivered_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delivery: str
):
    """The runner dies once the outcome is recorded; the next one finds task and record, works nothing and delivers."""

    async def die(self: InlineDesk, record: Record) -> None:
        raise TimeoutError("dead")

    with monkeypatch.context() as dying:
        dying.setattr(InlineDesk, "deliver", die)
        async with live(tmp_path, NETWORK, inn=MODULE) as inn:
            await inn.client.call("kitchen/cook", "soup", mode="async", delivery=delivery, request_id="r1")
            recorded = await inn.client.result("r1", timeout=15)
            assert isinstance(recorded, WorkResponse)
            assert await arrived(inn) == {}
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:

        async def is_delivered() -> bool:
            return bool(await arrived(inn))

        await eventually(is_delivered, "the delivery")
        assert await arrived(inn) == {METHODS[delivery]: [recorded]}
        kept = await inn.runner._ground.results.get(record_key("_client-tester", "r1"))
        assert kept is not None
        assert json.loads(kept.value)["delivered"] is True
