"""FAULTS 18: a provider that answers garbage, answers twice, or answers for another request. Dropped, and counted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from nats.aio.msg import Msg

from runner.work import Status, WorkResponse
from tests.support.intruders import Intruder, intruder
from tests.support.networks import LiveNetwork, eventually, live

NETWORK = """\
network: inn
ensembles:
  desk:
    uses: {fetch: cellar/fetch}
    tools: {ask: {python: "inn:ask", share: true}}
  kitchen:
    tasks: {cook: {share: true, steps: [{python: "inn:cook"}]}}
  cellar:
    tools: {fetch: {python: "inn:fetch", share: true}}
"""
MODULE = """\
import asyncio
from pathlib import Path

import runner

here = Path(__file__).parent


async def fetch(text: str) -> str:
    return text


async def ask(text: str, context: runner.Context) -> str:
    return await context.call("fetch", text)


async def cook(text: str) -> str:
    (here / f"begun-{text}").touch()
    while not (here / "release").exists():
        await asyncio.sleep(0.01)
    return f"cooked {text}"
"""

Lie = Callable[[str], bytes]
"""What is answered to the request of an id."""


def outcome(request_id: str, result: object = "a lie") -> bytes:
    return json.dumps({"requestId": request_id, "status": "COMPLETED", "result": result}).encode()


LIES: dict[str, Lie] = {
    "nothing": lambda _: b"",
    "garbage": lambda _: b"\xff\x00 garbage",
    "another kind of JSON": lambda _: b"[1, 2, 3]",
    "an outcome that is none": lambda request_id: json.dumps({"requestId": request_id, "status": "FINE"}).encode(),
    "for another request": lambda _: outcome("somebody-elses"),
    "nested without end": lambda _: b"[" * 100_000,
}


@asynccontextmanager
async def posing(inn: LiveNetwork, ensemble: str) -> AsyncIterator[Intruder]:
    """Whoever holds the credentials of an ensemble."""
    found = await intruder(inn, ensemble)
    try:
        yield found
    finally:
        await found.connection.close()


async def call(inn: LiveNetwork, target: str, context: str, **terms: object) -> WorkResponse:
    response = await inn.client.call(target, context, deadline=60, **terms)
    assert isinstance(response, WorkResponse)
    return response


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
async def test_a_wrong_answer_of_a_tool_is_a_coded_failure_of_its_caller(tmp_path: Path, lie: Lie) -> None:
    """Of a client and of an ensemble alike; the next call, rightly answered, is as if nothing had been."""
    async with live(tmp_path, NETWORK, without=frozenset({"cellar"}), inn=MODULE) as inn, posing(inn, "cellar") as liar:

        async def answer(message: Msg) -> None:
            asked = json.loads(message.data)
            right = outcome(asked["requestId"], asked["context"])
            await message.respond(lie(asked["requestId"]) if asked["context"] == "wine" else right)

        await liar.connection.subscribe("inn.tool.*.cellar.fetch", cb=answer)
        await liar.settle()
        for target in ("cellar/fetch", "desk/ask"):
            wrong = await call(inn, target, "wine")
            assert wrong.error is not None
            assert (wrong.status, wrong.error.code) == (Status.FAILED, "INVALID_RESPONSE")
            assert (await call(inn, target, "beer")).result == "beer"
        assert inn.client.dropped == 1


async def test_a_tool_that_answers_twice_is_heard_once(tmp_path: Path) -> None:
    """The second answer reaches neither this call nor the next."""
    async with live(tmp_path, NETWORK, without=frozenset({"cellar"}), inn=MODULE) as inn, posing(inn, "cellar") as liar:

        async def answer(message: Msg) -> None:
            asked = json.loads(message.data)
            for result in (asked["context"], "a second answer"):
                await message.respond(outcome(asked["requestId"], result))

        await liar.connection.subscribe("inn.tool.*.cellar.fetch", cb=answer)
        await liar.settle()
        for number in range(20):
            assert (await call(inn, "cellar/fetch", str(number))).result == str(number)
            assert (await call(inn, "desk/ask", str(number))).result == str(number)


async def test_lies_about_a_task_are_dropped_and_counted_and_its_own_outcome_comes(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, inn=MODULE) as inn, posing(inn, "kitchen") as liar:
        soup = asyncio.ensure_future(call(inn, "kitchen/cook", "soup", request_id="soup"))
        await eventually((tmp_path / "begun-soup").exists, "the dish on the stove")
        lies = list(LIES.values())
        for lie in lies:
            await liar.connection.publish("inn.reply._client-tester.kitchen.soup", lie("soup"))
        await liar.settle()
        await eventually(lambda: inn.client.dropped == len(lies), "the dropping of every lie")
        assert not soup.done()
        (tmp_path / "release").touch()
        assert (await soup).result == "cooked soup"


async def test_a_task_is_answered_by_whom_it_was_sent_to_and_by_nobody_else(tmp_path: Path) -> None:
    """Under its own name another ensemble is not heard; under the name of the one that was asked it may not speak."""
    async with live(tmp_path, NETWORK, inn=MODULE) as inn, posing(inn, "cellar") as liar:
        soup = asyncio.ensure_future(call(inn, "kitchen/cook", "soup", request_id="soup"))
        await eventually((tmp_path / "begun-soup").exists, "the dish on the stove")
        for provider in ("cellar", "kitchen"):
            await liar.connection.publish(f"inn.reply._client-tester.{provider}.soup", outcome("soup"))
        await liar.settle()
        await eventually(lambda: any("inn.reply._client-tester.kitchen" in r for r in liar.refusals), "a refusal")
        assert not soup.done()
        (tmp_path / "release").touch()
        assert (await soup).result == "cooked soup"


async def test_a_second_answer_to_a_task_changes_nothing(tmp_path: Path) -> None:
    """Not for whoever waits, not for the record, not for a repeat of the request."""
    (tmp_path / "release").touch()
    async with live(tmp_path, NETWORK, inn=MODULE) as inn, posing(inn, "kitchen") as liar:
        first = await call(inn, "kitchen/cook", "soup", request_id="soup")
        for _ in range(3):
            await liar.connection.publish("inn.reply._client-tester.kitchen.soup", outcome("soup"))
        await liar.settle()
        assert first.result == "cooked soup"
        assert await inn.client.result("soup") == first
        assert await call(inn, "kitchen/cook", "soup", request_id="soup") == first
