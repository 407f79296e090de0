"""Cancelling reaches queued and running work, and everything it asked of others."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from runner.host.desk import StoreAway
from runner.host.inline_desk import InlineDesk
from runner.host.runner import running
from runner.work import DeliverySpec, Standing, Status, WorkResponse
from tests.support.deliveries import arrived
from tests.support.networks import LONG_ENOUGH, LiveNetwork, eventually, live
from tests.support.servers import plain_server

pytestmark = pytest.mark.usefixtures("both_placements")

NETWORK = """\
network: inn
ensembles:
  front:
    uses: {order: desk/order, passed: desk/pass-on}
    tasks:
      ask-on: {share: true, steps: [{use: passed}]}
      ask: {share: true, steps: [{id: plan, template: "planned"}, {use: order}]}
  desk:
    capacity: {max_concurrent: 2}
    uses: {hold: kitchen/hold, later: {to: kitchen/hold, mode: async}, wait: kitchen/wait, brief: {to: kitchen/hold}}
    tools: {through: {python: "inn:through", share: true}}
    tasks:
      order: {share: true, steps: [{use: hold}]}
      pass-on: {share: true, steps: [{handoff: hold}]}
      measure: {share: true, steps: [{use: wait}]}
      leave: {share: true, steps: [{use: later, input: "left"}, {use: hold, input: "held"}]}
      leave-and-fail: {share: true, steps: [{use: later, input: "left"}, {python: "inn:fail"}]}
      leave-and-end: {share: true, steps: [{use: later, input: "left"}]}
      spread: {share: true, steps: [{for_each: [one, two, three], use: hold, input: "{{ item }}"}]}
      half: {share: true, steps: [{id: a, needs: [], use: hold, input: "beside"}, {id: b, needs: [], python: "inn:fail"}]}
  kitchen:
    capacity: {max_concurrent: 8}
    tools: {wait: {python: "inn:hold", share: true}}
    tasks:
      hold: {share: true, steps: [{id: chop, template: "chopped"}, {python: "inn:hold"}]}
  slow:
    capacity: {max_concurrent: 1}
    tasks: {hold: {share: true, steps: [{python: "inn:hold"}]}}
"""  # noqa: E501
MODULE = """\
import asyncio
from pathlib import Path

import runner

HERE = Path(__file__).parent


async def hold(text: str) -> str:
    (HERE / f"begun-{text}").touch()
    try:
        while not (HERE / "release").exists():
            await asyncio.sleep(0.01)
    except asyncio.CancelledError:
        (HERE / f"stopped-{text}").touch()
        raise
    return f"held {text}"


def through(text: str, context: runner.Context) -> str:
    return context.call("wait", text)


async def fail(text: str) -> str:
    while not list(HERE.glob("begun-*")):
        await asyncio.sleep(0.01)
    raise ValueError("dropped")
"""


@pytest.fixture
async def inn(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as network:
        yield network


async def started(inn: LiveNetwork, target: str, text: str = "x", *, begun: tuple[str, ...] = ("x",), **terms: object):
    """A call whose work holds; its task."""
    asked = asyncio.ensure_future(inn.client.call(target, text, **{"request_id": "r1", "deadline": 20, **terms}))
    for one in begun:
        await eventually((inn.workspace.directory / f"begun-{one}").exists, f"{one} at work")
    return asked


async def stopped(inn: LiveNetwork, *texts: str) -> None:
    for text in texts:
        await eventually((inn.workspace.directory / f"stopped-{text}").exists, f"{text} to be stopped")


async def statuses(inn: LiveNetwork) -> set[tuple[str, str, str]]:
    return {(report.caller, report.task, report.status) for report in await inn.client.requests()}


async def test_everything_down_the_line_is_cancelled(inn: LiveNetwork):
    asked = await started(inn, "front/ask")
    standing = await inn.client.cancel("r1")
    assert (standing.status, standing.state) == ("PENDING", "CANCELLING")
    response = await asked
    assert isinstance(response, WorkResponse)
    assert (response.status, response.partial) == (Status.CANCELLED, {"plan": "planned"})
    await stopped(inn, "x")
    whole = {
        ("_client-tester", "ask", "CANCELLED"),
        ("front", "order", "CANCELLED"),
        ("desk", "hold", "CANCELLED"),
    }

    async def recorded() -> bool:
        return await statuses(inn) == whole

    await eventually(recorded, "three cancelled records")


@pytest.mark.parametrize("target", ["kitchen/hold", "kitchen/wait"])
async def test_what_was_stopped_says_how_long_it_was_worked_on(inn: LiveNetwork, target: str):
    asked = await started(inn, target)
    await inn.client.cancel("_client-tester/r1")
    response = await asked
    assert isinstance(response, WorkResponse)
    assert response.status is Status.CANCELLED
    assert response.duration_ms > 0


@pytest.mark.parametrize("target", ["desk/measure", "desk/through"])
async def test_tool_calls_in_progress_end_too(inn: LiveNetwork, target: str):
    asked = await started(inn, target)
    await inn.client.cancel("_client-tester/r1")
    assert (await asked).status is Status.CANCELLED
    await stopped(inn, "x")


@pytest.mark.parametrize("target", ["desk/pass-on", "front/ask-on"])
async def test_what_was_handed_off_is_cancelled_at_whoever_answers_now(inn: LiveNetwork, target: str):
    asked = await started(inn, target)
    standing = await inn.client.cancel("r1")
    assert standing.state == "CANCELLING"
    assert (await asked).status is Status.CANCELLED
    await stopped(inn, "x")


async def test_what_was_left_to_itself_is_cancelled_with_whoever_asked_for_it(inn: LiveNetwork):
    asked = await started(inn, "desk/leave", begun=("left", "held"))
    await inn.client.cancel("r1")
    assert (await asked).status is Status.CANCELLED
    await stopped(inn, "left", "held")


@pytest.mark.parametrize("task", ["leave-and-fail", "leave-and-end"])
async def test_what_was_left_to_itself_outlives_a_failure_and_an_end(inn: LiveNetwork, task: str):
    await (await started(inn, f"desk/{task}", begun=("left",)))
    (inn.workspace.directory / "release").touch()

    async def completed() -> bool:
        return ("desk", "hold", "COMPLETED") in await statuses(inn)

    await eventually(completed, "the work that was left")


async def test_an_expiry_ends_what_is_waited_for(inn: LiveNetwork):
    items = ("one", "two", "three")
    for deadline in LONG_ENOUGH:
        assert (await inn.client.call("desk/spread", "x", deadline=deadline)).status is Status.EXPIRED
        if all((inn.workspace.directory / f"begun-{item}").exists() for item in items):
            break
    await stopped(inn, *items)


async def test_a_failure_beside_it_ends_what_is_waited_for(inn: LiveNetwork):
    response = await (await started(inn, "desk/half", begun=()))
    assert response.status is Status.FAILED
    await stopped(inn, *(() if not (inn.workspace.directory / "begun-beside").exists() else ("beside",)))

    async def recorded() -> bool:
        return ("desk", "hold", "CANCELLED") in await statuses(inn)

    await eventually(recorded, "the work beside it cancelled")


async def test_a_queued_task_is_answered_at_once_and_never_starts(inn: LiveNetwork):
    held = await started(inn, "slow/hold", "first", begun=("first",))
    waiting = asyncio.ensure_future(inn.client.call("slow/hold", "second", request_id="r2", deadline=60))

    async def queued() -> bool:
        return len(await inn.client.requests("PENDING")) == 2

    await eventually(queued, "two tasks")
    standing = await inn.client.cancel("r2")
    assert standing.response is not None
    assert standing.response.status is Status.CANCELLED
    async with asyncio.timeout(5):
        assert (await waiting).status is Status.CANCELLED
    (inn.workspace.directory / "release").touch()
    assert (await held).status is Status.COMPLETED
    assert not (inn.workspace.directory / "begun-second").exists()


async def test_what_is_cancelled_in_its_queue_is_delivered_and_makes_room_at_once(inn: LiveNetwork):
    """While everything before it still runs."""
    held = await started(inn, "slow/hold", "first", begun=("first",))
    deliveries = {"queue": "inn.queue.later", "topic": "inn.topic.later", "store": "$KV.inn_deliveries.later"}
    for method in deliveries:
        spec = DeliverySpec(method=method, **{"key" if method == "store" else "address": "later"})
        await inn.client.call("slow/hold", "x", request_id=method, mode="async", delivery=spec, deadline=60)
    for method in deliveries:
        standing = await inn.client.cancel(method)
        assert standing.response is not None
    found = {subject: [one.status for one in told] for subject, told in (await arrived(inn)).items()}
    assert found == {subject: [Status.CANCELLED] for subject in deliveries.values()}
    [waiting] = [one async for one in inn.runner._ground.backlog.waiting("slow")]
    assert waiting.request.request_id == "r1"
    (inn.workspace.directory / "release").touch()
    assert (await held).status is Status.COMPLETED


async def test_what_cannot_be_delivered_at_the_cancellation_is_delivered_at_its_turn(
    inn: LiveNetwork, monkeypatch: pytest.MonkeyPatch
):
    held = await started(inn, "slow/hold", "first", begun=("first",))
    spec = DeliverySpec(method="queue", address="later")
    await inn.client.call("slow/hold", "x", request_id="r2", mode="async", delivery=spec, deadline=60)

    async def away(*_: object) -> None:
        raise StoreAway

    with monkeypatch.context() as broken:
        broken.setattr(InlineDesk, "deliver", away)
        standing = await inn.client.cancel("r2")
    assert standing.response is not None
    assert await arrived(inn) == {}
    (inn.workspace.directory / "release").touch()
    await held

    async def delivered() -> bool:
        told = (await arrived(inn)).get("inn.queue.later", [])
        return [one.status for one in told] == [Status.CANCELLED]

    await eventually(delivered, "the delivery")
    assert not (inn.workspace.directory / "begun-x").exists()


async def test_what_is_done_keeps_its_outcome(inn: LiveNetwork):
    (inn.workspace.directory / "release").touch()
    await inn.client.call("kitchen/hold", "x", request_id="r1")
    standing = await inn.client.cancel("r1")
    assert standing.response is not None
    assert (standing.response.status, standing.response.result) == (Status.COMPLETED, "held x")


# several runners


async def test_the_runner_that_holds_the_work_cancels_it_and_the_others_are_silent(tmp_path: Path):
    """Whoever hears first: what was finished is in the one outcome."""
    async with (
        plain_server(tmp_path) as url,
        live(tmp_path / "a", NETWORK, nats=url, without=frozenset({"kitchen"}), inn=MODULE) as inn,
        running(inn.network, inn.workspace, nats=url, only=frozenset({"kitchen"})),
    ):
        for number in range(5):
            text = f"n{number}"
            asked = await started(inn, "kitchen/hold", text, begun=(text,), request_id=text)
            standing = await inn.client.cancel(text)
            assert standing.state == "CANCELLING" or standing.response is not None
            response = await asked
            assert (response.status, response.partial) == (Status.CANCELLED, {"chop": "chopped"})
            kept = await inn.client.result(text)
            assert isinstance(kept, WorkResponse)
            assert kept.partial == {"chop": "chopped"}


async def test_a_runner_that_missed_the_word_learns_it_from_the_record(tmp_path: Path):
    async with (
        plain_server(tmp_path) as url,
        live(tmp_path / "a", NETWORK, nats=url, without=frozenset({"kitchen"}), inn=MODULE) as inn,
        running(inn.network, inn.workspace, nats=url, only=frozenset({"kitchen"})) as other,
    ):
        asked = await started(inn, "kitchen/hold")
        desk = inn.runner._ground.desk
        waiting = [w async for w in inn.runner._ground.backlog.waiting("kitchen")]
        from runner.host.cancelling import _cancelled

        async def recorded() -> bool:
            """Also where the record of its start comes between the reading and the writing."""
            held = await desk.read("_client-tester", "r1")
            return await desk.record(_cancelled(held.record, waiting[0]), held.revision) is not None

        await eventually(recorded, "the cancellation on record")
        await stopped(inn, "x")
        assert (await asked).status is Status.CANCELLED
        assert other is not None


async def test_what_a_runner_left_behind_is_cancelled_with_the_request_it_was_for(tmp_path: Path):
    """Nobody works on the request, and nobody remembers what it asked for."""
    text = NETWORK.replace("network: inn\n", "network: inn\ndefaults: {drain_timeout: 100ms}\n")
    async with (
        plain_server(tmp_path) as url,
        live(tmp_path / "a", text, nats=url, without=frozenset({"desk"}), inn=MODULE) as inn,
    ):
        async with running(inn.network, inn.workspace, nats=url, only=frozenset({"desk"})):
            asked = await started(inn, "desk/leave", begun=("left", "held"))
            await eventually(lambda: recorded_start(inn), "the start on record")
        assert not (inn.workspace.directory / "stopped-held").exists(), "work that may be taken up again is left alone"
        await inn.client.cancel("r1")
        assert (await asked).status is Status.CANCELLED
        await stopped(inn, "left", "held")


async def recorded_start(inn: LiveNetwork) -> bool:
    record = (await inn.runner._ground.desk.read("_client-tester", "r1")).record
    return record is not None and bool(record.history)


async def test_an_unknown_request_is_unknown_to_all(tmp_path: Path):
    async with (
        plain_server(tmp_path) as url,
        live(tmp_path / "a", NETWORK, nats=url, without=frozenset({"kitchen"}), inn=MODULE) as inn,
        running(inn.network, inn.workspace, nats=url, only=frozenset({"kitchen"})),
    ):
        standing = await inn.client.cancel("_client-tester/nobody")
        assert standing == Standing(request_id="nobody", status="UNKNOWN")
