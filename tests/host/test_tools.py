"""Tool calls over a real server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from runner.work import Status, WorkResponse
from tests.support.networks import LiveNetwork, eventually, live

pytestmark = pytest.mark.usefixtures("both_placements")

NETWORK = """\
network: inn
defaults: {drain_timeout: 200ms, max_payload: 1000000}
ensembles:
  kitchen:
    capacity: {max_concurrent: 2, queue_limit: 2}
    tools:
      say: {python: "inn:say", share: true}
      burn: {python: "inn:burn", share: true}
      leave: {python: "inn:leave", share: true}
      refuse: {python: "inn:refuse", share: true}
      wait: {python: "inn:wait", share: true}
      nap: {python: "inn:nap", share: true}
      wake: {python: "inn:wake", share: true}
      add: {python: "inn:add", share: true}
      fill: {python: "inn:fill", share: true}
      odd: {python: "inn:odd", share: true}
      guarded: {python: "inn:say", share: {tags: [], authority: supervised}}
"""
MODULE = """\
import asyncio
import sys
import threading
from pathlib import Path

import runner

gate = asyncio.Event()
woken = threading.Event()


async def say(text: str) -> str:
    \"\"\"Say it again.\"\"\"
    return text


async def burn(text: str) -> str:
    secret = "hunter2"
    raise RuntimeError("the oven is on fire")


def leave(text: str) -> str:
    sys.exit(3)


def refuse(text: str) -> str:
    raise runner.Refused("not on the menu", hint="order something else")


async def wait(text: str) -> str:
    if text == "open":
        gate.set()
    with Path(__file__).with_name("waiting").open("a") as stream:
        stream.write(".")
    await gate.wait()
    return text


def nap(text: str) -> str:
    assert woken.wait(60)
    return threading.current_thread().name


async def wake(text: str) -> str:
    woken.set()
    return text


def add(left: int, right: int = 1) -> int:
    return left + right


def fill(text: str) -> str:
    return "x" * int(text)


def odd(text: str) -> object:
    return object()
"""


async def call(inn: LiveNetwork, tool: str, context: object = "", **terms: object) -> WorkResponse:
    response = await inn.client.call(f"kitchen/{tool}", context, **terms)
    assert isinstance(response, WorkResponse)
    return response


async def test_a_tool_answers_by_name_and_by_discovery(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        named, discovered = await call(inn, "say", "hello"), await inn.client.call("say", "hello")
        for response in (named, discovered):
            assert (response.status, response.result, response.provider) == (Status.COMPLETED, "hello", "kitchen")


async def test_a_handler_that_raises_fails_with_its_message_and_the_ensemble_serves_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        response = await call(inn, "burn")
        assert response.status is Status.FAILED
        assert response.error is not None
        assert (response.error.code, response.error.message) == ("HANDLER_FAILED", "the oven is on fire")
        assert "Traceback" not in response.model_dump_json()
        assert "hunter2" not in response.model_dump_json()
        await eventually(lambda: "Traceback" in caplog.text, "it in the log")  # the answer goes another way
        assert (await call(inn, "say", "still here")).result == "still here"


@pytest.mark.parametrize(
    ("tool", "context", "status", "code"),
    [
        ("leave", "", Status.FAILED, "HANDLER_FAILED"),
        ("refuse", "", Status.FAILED, "REFUSED"),
        ("odd", "", Status.FAILED, "INVALID_RESPONSE"),
        ("add", {"left": "many"}, Status.REJECTED, "INVALID_INPUT"),
        ("add", {"left": 1, "middle": 2}, Status.REJECTED, "INVALID_INPUT"),
        ("fill", "2000000", Status.FAILED, "PAYLOAD_TOO_LARGE"),
        ("say", "x" * 2_000_000, Status.REJECTED, "PAYLOAD_TOO_LARGE"),
        ("mop", "", Status.FAILED, "UNKNOWN_CAPABILITY"),
    ],
)
async def test_what_goes_wrong_comes_back_coded(tmp_path: Path, tool: str, context: object, status: Status, code: str):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        response = await call(inn, tool, context)
        assert response.error is not None
        assert (response.status, response.error.code) == (status, code)
        assert (await call(inn, "say", "on")).result == "on"


async def test_named_arguments_are_typed(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        assert (await call(inn, "add", {"left": 2, "right": 3})).result == 5


async def test_a_tool_whose_ensemble_is_not_up_fails_at_once_with_a_code_and_a_hint(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE, without=frozenset({"kitchen"})) as inn:
        async with asyncio.timeout(5):  # far below the deadline of half an hour
            for target in ("kitchen/say", "say"):
                response = await inn.client.call(target, "anybody?")
                assert isinstance(response, WorkResponse)
                assert response.error is not None
                assert (response.status, response.error.code) == (Status.FAILED, "NO_PROVIDER")
                assert response.error.hint


async def test_calls_run_side_by_side_up_to_max_concurrent_and_the_overflow_waits_its_turn_or_is_refused(
    tmp_path: Path,
):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        calls = [asyncio.ensure_future(call(inn, "wait", "closed")) for _ in range(2)]
        await eventually(lambda: (tmp_path / "waiting").exists() and (tmp_path / "waiting").read_text() == "..", "both")
        more = [asyncio.ensure_future(call(inn, "say", "late")) for _ in range(5)]
        await eventually(lambda: sum(one.done() for one in more) == 3, "the refusal of all but two")
        assert {(await one).error.code for one in more if one.done()} == {"QUEUE_FULL"}
        assert not any(one.done() for one in calls)
        for one in (*calls, *more):
            one.cancel()


async def test_plain_python_does_not_hold_the_event_loop_up(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        nap = asyncio.ensure_future(call(inn, "nap"))
        assert (await call(inn, "wake", "awake")).result == "awake"
        assert str((await nap).result).startswith("kitchen")


async def test_a_call_is_stopped_at_its_deadline(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        response = await call(inn, "wait", "closed", deadline=0.2)
        assert response.error is not None
        assert (response.status, response.error.code) == (Status.EXPIRED, "DEADLINE_EXCEEDED")


@pytest.mark.parametrize(
    ("tool", "authority", "code"),
    [
        ("say", "supervised", "AUTHORITY_EXCEEDED"),
        ("guarded", "human_required", "AUTHORITY_EXCEEDED"),
        ("guarded", "supervised", "REVIEW_UNAVAILABLE"),
    ],
)
async def test_authority_is_a_hard_line_at_the_provider(tmp_path: Path, tool: str, authority: str, code: str):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        response = await call(inn, tool, "please", authority=authority)
        assert response.error is not None
        assert (response.status, response.error.code) == (Status.REJECTED, code)


async def test_the_tools_are_a_nats_micro_service(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        await call(inn, "say", "once")
        answer = await inn.client._connection.request("$SRV.STATS.kitchen", b"", timeout=30)
        assert b'"network": "inn"' in answer.data
        assert b'"name": "say", "subject": "inn.tool.*.kitchen.say", "queue_group": "kitchen", "num_requests": 1' in (
            answer.data
        )


async def test_text_of_any_script_is_carried_intact(tmp_path: Path):
    text = "crème brûlée 🍮 עברית \u202e\x00 end"
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        assert (await call(inn, "say", text)).result == text
