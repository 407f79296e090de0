"""How a use goes on: waiting or not, past a deadline, past a provider that is late, full or gone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from runner.subjects import Subjects
from runner.work import Standing, Status, TaskProgress, WorkResponse
from tests.support.networks import LONG_ENOUGH, LiveNetwork, eventually, live

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
        assert "kitchen/count: is a tool" in response.error.message


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


# on_late_eta


LATE_MODULE = """\
import asyncio


async def cook(text: str) -> str:
    await asyncio.sleep(0.6 if text == "measured" else 0.01)
    return f"cooked {text} here"


async def stall(text: str) -> str:
    await asyncio.sleep(30)
    return text
"""


def late_network(use: str) -> str:
    """Two kitchens; the first is made to look slow by what it did before, and busy."""
    return f"""\
network: inn
ensembles:
  desk:
    uses: {{meal: {use}}}
    tasks: {{order: {{share: true, steps: [{{id: meal, use: meal}}], output: {{got: "{{{{ steps.meal }}}}"}}}}}}
  kitchen:
    capacity: {{max_concurrent: 1}}
    tasks:
      cook: {{share: [food], steps: [{{python: "inn:cook"}}]}}
      stall: {{share: true, steps: [{{python: "inn:stall"}}]}}
  tavern:
    tasks:
      cook: {{share: [food], steps: [{{template: "cooked {{{{ context }}}} at the tavern"}}]}}
"""


async def slowed(inn: LiveNetwork) -> asyncio.Task[WorkResponse]:
    """The kitchen is known to take 0.6 s a task, and has its slot taken for long."""
    await call(inn, "kitchen/cook", "measured")
    stalled = asyncio.ensure_future(call(inn, "kitchen/stall", request_id="stalled"))

    async def running() -> bool:
        return any(r.state == "RUNNING" for r in await inn.client.requests("PENDING"))

    await eventually(running, "the stalled task")
    return stalled


async def freed(inn: LiveNetwork, stalled: asyncio.Task[WorkResponse]) -> None:
    await inn.client.cancel("stalled")
    await stalled


async def test_a_late_task_is_told_of_and_accepted(tmp_path: Path):
    """The caller's caller hears of it too."""
    async with live(tmp_path, late_network("{to: kitchen/cook, deadline: 500ms}"), inn=LATE_MODULE) as inn:
        stalled = await slowed(inn)
        heard: list[TaskProgress] = []
        response = await call(inn, "desk/order", on_progress=heard.append)
        assert response.error is not None
        assert response.error.code == "DEADLINE_EXCEEDED"
        assert [hint.message.partition(" expects")[0] for hint in heard] == ["meal: kitchen/cook"]

        async def told() -> bool:
            return [kind for kind, _ in await kinds(inn)] == ["late"]

        await eventually(told, "the event")
        await freed(inn, stalled)


async def test_a_late_task_goes_to_another_provider(tmp_path: Path):
    use = "{discover: cook, deadline: 500ms, on_late_eta: other-provider}"
    async with live(tmp_path, late_network(use), inn=LATE_MODULE) as inn:
        stalled = await slowed(inn)
        response = await call(inn, "desk/order")
        assert (response.status, response.result) == (Status.COMPLETED, {"got": "cooked soup at the tavern"})
        asked = {(r.provider, r.status) for r in await inn.client.requests() if r.caller == "desk"}
        assert asked == {("kitchen", "CANCELLED"), ("tavern", "COMPLETED")}
        await freed(inn, stalled)


async def test_a_late_task_stays_where_nobody_else_could_do_it(tmp_path: Path):
    use = "{to: kitchen/cook, deadline: 500ms, on_late_eta: other-provider}"
    async with live(tmp_path, late_network(use), inn=LATE_MODULE) as inn:
        stalled = await slowed(inn)
        ordered = asyncio.ensure_future(call(inn, "desk/order"))
        response = await ordered
        assert response.error is not None
        assert response.error.code == "DEADLINE_EXCEEDED"
        await freed(inn, stalled)


async def test_a_late_task_is_gone_on_without(tmp_path: Path):
    use = "{to: kitchen/cook, deadline: 500ms, on_late_eta: continue}"
    async with live(tmp_path, late_network(use), inn=LATE_MODULE) as inn:
        stalled = await slowed(inn)
        response = await call(inn, "desk/order")
        assert (response.status, response.result) == (Status.COMPLETED, {"got": None})
        await freed(inn, stalled)


async def test_an_outside_caller_goes_on_without_a_late_task(tmp_path: Path):
    async with live(tmp_path, late_network("kitchen/cook"), inn=LATE_MODULE) as inn:
        stalled = await slowed(inn)
        heard: list[TaskProgress] = []
        response = await call(inn, "kitchen/cook", deadline=0.5, on_late_eta="continue", on_progress=heard.append)
        assert response.error is not None
        assert (response.status, response.error.code) == (Status.CANCELLED, "DEADLINE_EXCEEDED")
        assert [hint.message.partition(" expects")[0] for hint in heard] == ["kitchen/cook"]
        await freed(inn, stalled)


# on_constrained


def pressed_network(use: str) -> str:
    return network(use).replace(
        "  kitchen:\n    capacity: {max_concurrent: 1}",
        "  kitchen:\n    capacity: {max_concurrent: 1, backpressure: 1}",
    )


async def pressed(inn: LiveNetwork) -> list[asyncio.Task[WorkResponse]]:
    """The kitchen is held up, and more wait than it allows, as the whole network knows."""
    held = [asyncio.ensure_future(call(inn, "kitchen/hold", f"n{n}", request_id=f"n{n}")) for n in range(4)]

    async def known() -> bool:
        """To the client as well, who would otherwise go by what it knew a second ago."""
        return "kitchen" in {entry.provider for entry in await inn.client.catalog() if entry.constrained}

    await eventually(known, "a constrained kitchen")
    return held


async def relieved(inn: LiveNetwork, held: list[asyncio.Task[WorkResponse]]) -> None:
    release(inn)
    await asyncio.gather(*held)


async def test_a_constrained_provider_is_passed_over_by_discovery(tmp_path: Path):
    async with live(tmp_path, pressed_network("{discover: cook}"), inn=MODULE) as inn:
        held = await pressed(inn)
        response = await call(inn, "desk/order")
        assert response.result == {"got": "cooked soup at the tavern"}

        assert (await call(inn, "cook")).result == "cooked soup at the tavern", "outside callers pass it over too"
        await relieved(inn, held)


async def test_a_static_caller_of_a_constrained_provider_is_told_and_waits(tmp_path: Path):
    async with live(tmp_path, pressed_network("{to: kitchen/cook}"), inn=MODULE) as inn:
        held = await pressed(inn)
        ordered = asyncio.ensure_future(call(inn, "desk/order"))

        async def told() -> bool:
            return await kinds(inn) == [("CAPACITY_CONSTRAINED", "later: kitchen/cook is constrained")]

        await eventually(told, "the event")
        await relieved(inn, held)
        assert (await ordered).status is Status.COMPLETED


async def test_a_static_caller_may_fail_where_too_many_wait_and_nothing_is_submitted(tmp_path: Path):
    use = "{to: kitchen/cook, on_constrained: fail}"
    async with live(tmp_path, pressed_network(use), inn=MODULE) as inn:
        held = await pressed(inn)
        for asked in (call(inn, "desk/order"), call(inn, "kitchen/cook", on_constrained="fail")):
            response = await asked
            assert response.error is not None
            assert response.error.code == "CAPACITY_CONSTRAINED"
        assert {r.task for r in await inn.client.requests()} == {"hold", "order"}
        await relieved(inn, held)


async def test_a_static_caller_may_turn_to_its_fallback_where_too_many_wait(tmp_path: Path):
    use = "{to: kitchen/cook, on_constrained: fallback, fallback: tavern/cook}"
    async with live(tmp_path, pressed_network(use), inn=MODULE) as inn:
        held = await pressed(inn)
        response = await call(inn, "desk/order")
        assert response.result == {"got": "cooked soup at the tavern"}
        await relieved(inn, held)


@pytest.mark.parametrize(
    ("word", "expected"),
    [("wait", "COMPLETED"), ("fail", "CAPACITY_CONSTRAINED"), ("fallback", "cooked soup at the tavern")],
)
async def test_a_caller_that_hears_of_it_as_its_task_is_accepted_follows_the_same_word(
    tmp_path: Path, word: str, expected: str
):
    """The beats are a second behind: the acceptance is not. What is called off is cancelled."""
    use = f"{{to: kitchen/cook, on_constrained: {word}, fallback: tavern/cook}}"
    async with live(tmp_path, pressed_network(use), inn=MODULE) as inn:
        desk = inn.runner._ground.desk
        told_of = desk.condition
        desk.condition = lambda name: replace(told_of(name), constrained=False)  # type: ignore[method-assign]
        held = await pressed(inn)
        ordered = asyncio.ensure_future(call(inn, "desk/order"))

        async def told() -> bool:
            return await kinds(inn) == [("CAPACITY_CONSTRAINED", "later: kitchen/cook is constrained")]

        await eventually(told, "the event")
        if word == "wait":
            await relieved(inn, held)
            assert (await ordered).status is Status.COMPLETED
            return
        response = await ordered
        assert expected in (response.error.code if response.error else response.result["got"])
        assert ("kitchen", "CANCELLED") in {(r.provider, r.status) for r in await inn.client.requests()}
        await relieved(inn, held)


# deadlines


async def test_a_deadline_shrinks_from_hop_to_hop_and_ends_the_work_everywhere(tmp_path: Path):
    text = """\
network: inn
ensembles:
  a: {uses: {next: {to: b/go, deadline: 1h}}, tasks: {go: {share: true, steps: [{use: next}]}}}
  b: {uses: {next: {to: c/go, mode: await}}, tasks: {go: {share: true, steps: [{id: half, template: done}, {use: next}]}}}
  c: {tasks: {go: {share: true, steps: [{python: "inn:hold"}]}}}
"""  # noqa: E501
    async with live(tmp_path, text, inn=MODULE) as inn:
        ends: dict[str, object] = {}

        async def three_or_over() -> bool:
            for name in "abc":
                async for waiting in inn.runner._ground.backlog.waiting(name):
                    ends[name] = waiting.request.expires_at
            return len(ends) == 3 or asked.done()

        for deadline in LONG_ENOUGH:
            ends.clear()
            asked = asyncio.ensure_future(call(inn, "a/go", "x", deadline=deadline))
            await eventually(three_or_over, "three hops")
            assert (await asked).status is Status.EXPIRED
            if len(ends) == 3:
                break
        assert ends["a"] >= ends["b"] >= ends["c"]

        async def expired() -> bool:
            ended = {(r.provider, r.status) for r in await inn.client.requests()}
            return ended == {(name, "EXPIRED") for name in "abc"}

        await eventually(expired, "three expiries")
