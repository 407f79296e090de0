"""How a use goes on: waiting or not, past a deadline, past a provider that is late, full or gone."""

from __future__ import annotations

import asyncio
from pathlib import Path

from runner.subjects import Subjects
from runner.work import Standing, Status, WorkResponse
from tests.support.networks import LiveNetwork, eventually, live

MODULE = """\
import asyncio
from pathlib import Path

import runner

HERE = Path(__file__).parent


async def hold(text: str) -> str:
    (HERE / f"begun-{text}").touch()
    while not (HERE / "release").exists():
        await asyncio.sleep(0.01)
    return f"held {text}"


async def leave(text: str, context: runner.Context) -> dict:
    return await context.call("later", text)


async def count(text: str) -> int:
    return len(text)
"""


def network(use: str, *, more: str = "") -> str:
    """A desk whose task `order` delegates through one use, beside kitchens that hold, cook in steps, or count."""
    return f"""\
network: inn
ensembles:
  desk:
    capacity: {{max_concurrent: 1}}
    uses:
      later: {use}
    tasks:
      order: {{share: true, steps: [{{id: meal, use: later}}], output: {{got: "{{{{ steps.meal }}}}"}}}}
      leave: {{share: true, steps: [{{python: "inn:leave"}}]}}
  kitchen:
    capacity: {{max_concurrent: 1}}
    tools: {{count: {{python: "inn:count", share: [numbers]}}}}
    tasks:
      hold: {{share: true, steps: [{{python: "inn:hold"}}]}}
      cook: {{share: [food], steps: [{{id: chop, template: "chopped"}}, {{python: "inn:hold"}}]}}
  tavern:
    capacity: {{max_concurrent: 1}}
    tasks:
      cook: {{share: [food], steps: [{{template: "cooked {{{{ context }}}} at the tavern"}}]}}
{more}"""


def release(inn: LiveNetwork) -> None:
    (inn.workspace.directory / "release").touch()


def begun(inn: LiveNetwork, text: str) -> bool:
    return (inn.workspace.directory / f"begun-{text}").exists()


async def call(inn: LiveNetwork, target: str, context: object = "soup", **terms: object) -> WorkResponse:
    response = await inn.client.call(target, context, **{"deadline": 20, **terms})
    assert isinstance(response, WorkResponse)
    return response


async def kinds(inn: LiveNetwork, ensemble: str = "desk") -> list[tuple[str, str | None]]:
    """What was told of an ensemble beside the usual."""
    usual = ("accepted", "started", "step", *(status.lower() for status in Status))
    return [(e.kind, e.message) async for e in inn.client.events(ensemble=ensemble) if e.kind not in usual]


# mode


async def test_an_asynchronous_use_goes_on_at_once_and_its_outcome_is_there_later(tmp_path: Path):
    async with live(tmp_path, network("{to: kitchen/hold, mode: async}"), inn=MODULE) as inn:
        for number, target in enumerate(("desk/order", "desk/leave"), start=1):
            response = await call(inn, target, f"n{number}")
            found = response.result["got"] if target == "desk/order" else response.result
            assert (response.status, found["from"], found["status"]) == (Status.COMPLETED, "desk", "PENDING")
            ticket = f"desk/{found['requestId']}"
            pending = await inn.client.result(ticket, wait=False)
            assert isinstance(pending, Standing)
            release(inn)
            done = await inn.client.result(ticket)
            assert isinstance(done, WorkResponse)
            assert (done.status, done.result) == (Status.COMPLETED, f"held n{number}")
            (inn.workspace.directory / "release").unlink()


async def test_an_asynchronous_outcome_goes_where_its_delivery_says(tmp_path: Path):
    use = '{to: tavern/cook, mode: async, delivery: {store: {key: "board"}}}'
    async with live(tmp_path, network(use), inn=MODULE) as inn:
        await call(inn, "desk/order")
        stored = Subjects("inn").bucket("deliveries")

        async def delivered() -> bool:
            entry = await inn.runner._ground.connection.jetstream().key_value(stored)
            try:
                return b"at the tavern" in (await entry.get("board")).value
            except Exception:
                return False

        await eventually(delivered, "the delivery")


async def test_an_asynchronous_use_that_finds_a_tool_is_refused_by_name(tmp_path: Path):
    async with live(tmp_path, network("{tags: [numbers], mode: async}"), inn=MODULE) as inn:
        response = await call(inn, "desk/order")
        assert response.error is not None
        assert (response.status, response.error.code) == (Status.FAILED, "INVALID_REQUEST")
        assert "kitchen/count is a tool" in response.error.message


# on_deadline


async def test_a_use_that_expires_fails_its_caller(tmp_path: Path):
    async with live(tmp_path, network("{to: kitchen/cook, deadline: 300ms}"), inn=MODULE) as inn:
        response = await call(inn, "desk/order")
        assert response.error is not None
        assert (response.status, response.error.code) == (Status.FAILED, "DEADLINE_EXCEEDED")


async def test_a_use_may_go_on_with_what_was_finished(tmp_path: Path):
    use = "{to: kitchen/cook, deadline: 300ms, on_deadline: continue}"
    async with live(tmp_path, network(use), inn=MODULE) as inn:
        response = await call(inn, "desk/order")
        assert response.status is Status.COMPLETED
        assert response.result["got"] in ({"chop": "chopped"}, None)


async def test_a_use_may_go_on_without_what_was_never_started(tmp_path: Path):
    use = "{to: kitchen/hold, deadline: 300ms, on_deadline: continue}"
    async with live(tmp_path, network(use), inn=MODULE) as inn:
        held = asyncio.ensure_future(call(inn, "kitchen/hold", "first"))
        await eventually(lambda: begun(inn, "first"), "the kitchen at work")
        response = await call(inn, "desk/order", "second")
        assert (response.status, response.result) == (Status.COMPLETED, {"got": None})
        release(inn)
        await held
        assert not begun(inn, "second"), "expired work is never started"


async def test_a_use_may_turn_to_its_fallback_with_the_time_that_is_left(tmp_path: Path):
    use = "{to: kitchen/cook, deadline: 300ms, on_deadline: fallback, fallback: tavern/cook}"
    async with live(tmp_path, network(use), inn=MODULE) as inn:
        response = await call(inn, "desk/order", request_id="r1")
        assert (response.status, response.result) == (Status.COMPLETED, {"got": "cooked soup at the tavern"})
        asked = {(r.provider, r.request_id) for r in await inn.client.requests() if r.caller == "desk"}
        await eventually(lambda: two_providers(inn), "a record of both")
        assert len({request_id for _, request_id in asked}) == len(asked), "a fallback is another request"


async def two_providers(inn: LiveNetwork) -> bool:
    asked = {r.provider: r.status for r in await inn.client.requests() if r.caller == "desk"}
    return asked == {"kitchen": "EXPIRED", "tavern": "COMPLETED"}


async def test_a_fallback_serves_where_nobody_meets_the_need(tmp_path: Path):
    use = "{discover: bake, fallback: tavern/cook}"
    async with live(tmp_path, network(use), inn=MODULE) as inn:
        response = await call(inn, "desk/order")
        assert (response.status, response.result) == (Status.COMPLETED, {"got": "cooked soup at the tavern"})


async def test_a_discovered_request_says_what_it_is_for_and_a_static_one_does_not(tmp_path: Path):
    """Only whoever else meets the need may be asked in its place."""
    async with live(tmp_path, network("{discover: hold}"), inn=MODULE) as inn:
        order = asyncio.ensure_future(call(inn, "desk/order"))
        static = asyncio.ensure_future(call(inn, "kitchen/hold", "static"))
        found = asyncio.ensure_future(call(inn, "hold", "found"))
        needs: dict[str, object] = {}

        async def three() -> bool:
            async for waiting in inn.runner._ground.backlog.waiting("kitchen"):
                need = waiting.request.need
                needs[str(waiting.request.context)] = need.model_dump() if need else None
            return len(needs) == 3

        await eventually(three, "three tasks in the kitchen")
        assert needs == {
            "soup": {"name": "hold", "tags": ()},
            "static": None,
            "found": {"name": "hold", "tags": ()},
        }
        release(inn)
        await asyncio.gather(order, static, found)


# deadlock freedom


async def test_with_one_slot_everywhere_work_that_comes_back_to_its_own_ensemble_completes(tmp_path: Path):
    """A → B → A', by tasks, tools and calls from Python: whoever waits holds no slot."""
    text = """\
network: inn
ensembles:
  a:
    capacity: {max_concurrent: 1}
    uses: {there: b/there, over: b/over, by-hand: b/by-hand}
    tools: {measure: {python: "inn:measure", share: true}}
    tasks:
      go: {share: true, steps: [{id: x, use: there}], output: "{{ steps.x }}"}
      twice: {share: true, steps: [{id: x, for_each: [one, two, three], use: by-hand, input: "{{ item }}"}]}
      tool-go: {share: true, steps: [{use: over}]}
      back: {share: true, steps: [{template: "back with {{ context }}"}]}
  b:
    capacity: {max_concurrent: 1}
    uses: {back: a/back, measure: a/measure}
    tools: {over: {python: "inn:over", share: true}}
    tasks:
      there: {share: true, steps: [{id: x, use: back}, {id: y, use: measure, input: "{{ steps.x }}"}], output: "{{ steps.x }} {{ steps.y }}"}
      by-hand: {share: true, steps: [{python: "inn:by_hand"}]}
"""  # noqa: E501
    module = """\
import asyncio
import runner

async def measure(text: str) -> int:
    return len(text)

def over(text: str, context: runner.Context) -> int:
    return context.call("measure", context.call("back", text))

async def by_hand(text: str, context: runner.Context) -> list:
    return await asyncio.gather(context.call("back", text), context.call("measure", text))
"""
    async with live(tmp_path, text, inn=module) as inn:
        targets = ("a/go", "a/twice", "a/tool-go")
        several = await asyncio.gather(*(call(inn, target, "you") for target in targets for _ in range(3)))
        assert [r.result for r in several[::3]] == [
            "back with you 13",
            [["back with one", 3], ["back with two", 3], ["back with three", 5]],
            13,
        ]
        assert {r.status for r in several} == {Status.COMPLETED}
