"""Bad requests, bad neighbours and bad handlers: refused, answered and survived."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner.errors import UsageProblem
from runner.work import Status, WorkResponse, new_trace
from tests.support.intruders import intruder
from tests.support.networks import LiveNetwork, eventually, live

NETWORK = """\
network: inn
defaults: {drain_timeout: 5s}
ensembles:
  desk:
    uses: {echo: kitchen/echo, cook: kitchen/cook, hold: kitchen/hold, flunk: kitchen/fail, around: desk/turn}
    capacity: {max_concurrent: 1}
    tools:
      both: {python: "inn:both", share: true}
      hasty: {python: "inn:hasty", share: true}
      say: {python: "inn:say", share: true}
      turn: {python: "inn:turn", share: true}
    tasks:
      order: {share: true, steps: [{use: hold}, {id: meal, use: cook}, {use: echo}]}
  kitchen:
    tools: {echo: {python: "inn:say", share: true}, fail: {python: "inn:fail", share: true}}
    tasks:
      cook: {share: true, steps: [{template: "cooked {{ context }}"}]}
      hold: {share: true, steps: [{python: "inn:hold"}]}
      stubborn: {share: true, steps: [{python: "inn:stubborn"}]}
  spa:
    tools: {rest: {python: "inn:say", share: true}}
"""
MODULE = """\
import asyncio
from pathlib import Path

import runner

here = Path(__file__).parent
inside = 0


async def say(text: str) -> str:
    return text


async def fail(text: str) -> str:
    raise ValueError("no")


async def hold(text: str) -> str:
    (here / "held").touch()
    while not (here / "release").exists():
        await asyncio.sleep(0.01)
    return text


async def both(text: str, context: runner.Context) -> str:
    await asyncio.gather(context.call("flunk"), context.call("hold"))
    return text


async def hasty(text: str, context: runner.Context) -> int:
    global inside
    try:
        async with asyncio.timeout(0.1):
            await context.call("hold")
    except TimeoutError:
        pass
    inside += 1
    most = inside
    for _ in range(10):
        await asyncio.sleep(0)
        most = max(most, inside)
    inside -= 1
    return most


async def turn(text: str, context: runner.Context) -> str:
    return await context.call("around", text)


async def stubborn(text: str) -> str:
    (here / "held").touch()
    while not (here / "release").exists():
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            continue
"""


def request(**changes: object) -> bytes:
    sound = {
        "requestId": "r1",
        "from": "desk",
        "task": "echo",
        "context": "hello",
        "deadline": "PT10S",
        "traceContext": {"traceparent": new_trace().traceparent},
        "submittedAt": datetime.now(UTC).isoformat(),
    }
    return json.dumps(sound | changes).encode()


async def call(inn: LiveNetwork, target: str, context: object = "", **terms: object) -> WorkResponse:
    response = await inn.client.call(target, context, **terms)
    assert isinstance(response, WorkResponse)
    return response


@pytest.mark.parametrize(
    "bad",
    [
        {"traceContext": {"traceparent": "00-a 2\r\nhi\r\nPUB inn.tool.kitchen.spa.rest _INBOX_x 3\r\nEVL\r\n-b-01"}},
        {"traceContext": {"traceparent": "x"}},
        {"submittedAt": "2026-01-01T00:00:00"},
        {"deadline": "P99999999D"},
        {"requestId": "a b"},
        {"from": "desk.>"},
        {"authority": "GODLIKE"},
    ],
)
async def test_a_request_that_is_none_is_rejected_and_the_provider_serves_on(tmp_path: Path, bad: dict):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        desk = await intruder(inn, "desk")
        try:
            answer = await desk.connection.request("inn.tool.desk.kitchen.echo", request(**bad), timeout=30)
            assert json.loads(answer.data)["error"]["code"] == "INVALID_REQUEST"
            answer = await desk.connection.request("inn.tool.desk.kitchen.echo", request(), timeout=30)
            assert json.loads(answer.data)["result"] == "hello"
        finally:
            await desk.connection.close()


async def test_a_task_that_is_no_request_has_its_outcome_under_the_id_of_its_message(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        desk = await intruder(inn, "desk")
        try:
            headers = {"Nats-Msg-Id": "desk.g1.0"}
            await desk.connection.request("inn.work.desk.kitchen.normal.cook", b"garbage", timeout=30, headers=headers)
        finally:
            await desk.connection.close()
        await eventually(lambda: is_known(inn, "desk/g1"), "the refusal")  # until then there is no request of that id
        done = await inn.client.result("desk/g1", timeout=60)
        assert isinstance(done, WorkResponse)
        assert done.error is not None
        assert (done.status, done.error.code) == (Status.REJECTED, "INVALID_REQUEST")
        assert await inn.client.requests("PENDING") == ()


async def is_known(inn: LiveNetwork, request_id: str) -> bool:
    try:
        await inn.client.result(request_id, wait=False)
    except UsageProblem:
        return False
    return True


@pytest.mark.parametrize(
    "elsewhere", ["$KV.inn_results.spa.victim", "inn.work.spa.kitchen.normal.cook", "_INBOX_spa.x"]
)
async def test_a_runner_answers_nobody_but_the_asker(tmp_path: Path, elsewhere: str):
    """The runner may publish anything: an answer sent where an ensemble says would lend it that right."""
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        desk = await intruder(inn, "desk")
        try:
            await desk.connection.publish("inn.result.desk.zzz", b"", reply=elsewhere)
            answer = await desk.connection.request("inn.result.desk.zzz", b"", timeout=30)
            assert json.loads(answer.data)["status"] == "UNKNOWN"
        finally:
            await desk.connection.close()
        assert await inn.client.requests() == ()


async def test_a_provider_forges_no_request_of_another_caller(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        desk = await intruder(inn, "desk")
        try:
            forged = request(**{"from": "spa"})
            answer = await desk.connection.request("inn.tool.desk.kitchen.echo", forged, timeout=30)
            assert json.loads(answer.data)["error"]["code"] == "INVALID_REQUEST"
        finally:
            await desk.connection.close()


async def test_a_handler_that_leaves_a_call_running_keeps_no_slot(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        response = await call(inn, "desk/both")
        assert response.error is not None
        assert response.error.message == "no"
        (inn.workspace.directory / "release").touch()
        for number in range(3):
            assert (await call(inn, "desk/say", str(number), deadline=10)).result == str(number)


async def test_a_handler_that_bounds_its_own_wait_goes_on_in_a_slot(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        responses = await asyncio.gather(*(call(inn, "desk/hasty", deadline=60) for _ in range(6)))
        assert [response.result for response in responses] == [1] * 6
        (inn.workspace.directory / "release").touch()


async def test_a_loop_at_run_time_is_refused_by_name(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        response = await call(inn, "desk/turn", "round")
        assert response.error is not None
        assert (response.status, response.error.code) == (Status.FAILED, "DELEGATION_CYCLE")
        assert response.error.message == "the delegation came back: desk/turn → desk/turn"


async def test_draining_lets_a_task_finish_that_still_has_to_delegate(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        order = asyncio.ensure_future(call(inn, "desk/order", "soup"))
        await eventually((inn.workspace.directory / "held").exists, "the first step")
        stopping = asyncio.ensure_future(inn.runner.stop_ensembles())
        await asyncio.sleep(0)
        (inn.workspace.directory / "release").touch()
        assert (await order).result == "soup"
        await stopping


async def test_a_handler_that_ignores_its_end_does_not_hold_the_drain_up_and_is_named(tmp_path: Path):
    """FAULTS 9."""
    network = NETWORK.replace("drain_timeout: 5s", "drain_timeout: 200ms")
    async with live(tmp_path, network, inn=MODULE) as inn:
        stuck = asyncio.ensure_future(call(inn, "kitchen/stubborn"))
        await eventually((inn.workspace.directory / "held").exists, "the handler")
        async with asyncio.timeout(15):
            await inn.runner.stop_ensembles()
        details = [h.detail for h in inn.happenings if getattr(h, "detail", None)]
        assert details == ["stopped waiting for task stubborn for _client-tester"]
        (inn.workspace.directory / "release").touch()
        stuck.cancel()


async def test_long_lists_come_in_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("runner.reports.PAGE_ENTRIES", 2)
    monkeypatch.setattr("runner.client.pages.PAGE_ENTRIES", 2)
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        for number in range(5):
            await call(inn, "kitchen/cook", str(number), request_id=f"r{number}")
        assert [report.request_id for report in await inn.client.requests("completed")] == [f"r{n}" for n in range(5)]
        assert len(await inn.client.catalog()) == 11
