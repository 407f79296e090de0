"""Tasks over a real server: queued, worked off, recorded once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from runner.errors import UsageProblem
from runner.work import Standing, Status, TaskAccepted, TaskProgress, WorkResponse
from tests.support.networks import LiveNetwork, eventually, live

pytestmark = pytest.mark.usefixtures("both_placements")

NETWORK = """\
network: inn
defaults: {max_hops: 6}
ensembles:
  desk:
    capacity: {max_concurrent: 1}
    uses: {cook: kitchen/cook, count: {discover: count}, again: {to: desk/greet}}
    tasks:
      order: {share: true, steps: [{id: meal, use: cook, input: "{{ context }}!"}], output: "served {{ steps.meal }}"}
      greet: {share: true, steps: [{template: "good day, {{ context }}"}]}
      tally: {share: true, steps: [{use: count}]}
  kitchen:
    capacity: {max_concurrent: 1, queue_limit: 4}
    uses: {greet: desk/greet}
    tools: {jot: {python: "inn:note"}, count: {python: "inn:count", share: true}}
    tasks:
      cook: {share: true, steps: [{tool: jot}, {id: hello, use: greet}], output: "{{ steps.hello }} (cooked)"}
      note: {share: true, steps: [{tool: jot}]}
      hold: {share: true, steps: [{python: "inn:hold"}]}
      burn: {share: true, steps: [{id: first, template: "chopped"}, {python: "inn:burn"}]}
"""
MODULE = """\
import asyncio
from pathlib import Path

import runner

effects = Path(__file__).with_name("effects")


async def note(text: str) -> str:
    with effects.open("a") as stream:
        stream.write(text + "\\n")
    return text


async def count(text: str) -> int:
    return len(text)


async def hold(text: str, context: runner.Context) -> str:
    await context.progress("holding", 50)
    while not Path(__file__).with_name("release").exists():
        await asyncio.sleep(0.01)
    return await note(text)


async def burn(text: str) -> str:
    raise ValueError("burnt")
"""


async def call(inn: LiveNetwork, target: str, context: object = "", **terms: object) -> WorkResponse:
    response = await inn.client.call(target, context, **terms)
    assert isinstance(response, WorkResponse)
    return response


def effects(inn: LiveNetwork) -> list[str]:
    path = inn.workspace.directory / "effects"
    return path.read_text().splitlines() if path.exists() else []


def release(inn: LiveNetwork) -> None:
    (inn.workspace.directory / "release").touch()


async def holding(inn: LiveNetwork, request_id: str = "held") -> asyncio.Task[WorkResponse]:
    """A task that takes the kitchen's only slot until `release`."""
    started = asyncio.Event()
    held = asyncio.ensure_future(
        call(inn, "kitchen/hold", "held", request_id=request_id, on_progress=lambda _: started.set())
    )
    async with asyncio.timeout(10):
        await started.wait()
    return held


async def test_a_task_crosses_three_ensembles_and_back_under_one_trace_with_one_slot_each(tmp_path: Path):
    """desk → kitchen → desk: with `max_concurrent: 1` this ends only because a wait holds no slot."""
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        response = await call(inn, "desk/order", "soup", deadline=60, request_id="r1")
        assert (response.status, response.result) == (Status.COMPLETED, "served good day, soup! (cooked)")
        spans = {}
        await eventually(lambda: traced(inn, "r1", spans), "the whole trace")
        tree = sorted(f"{spans[s.parent_id].name if s.parent_id else ''} > {s.name}" for s in spans.values())
        assert tree == [
            " > desk/order",
            "desk/greet > 0",
            "desk/order > meal",
            "hello > desk/greet",
            "kitchen/cook > 0",
            "kitchen/cook > hello",
            "meal > kitchen/cook",
        ]
        assert {span.status for span in spans.values()} == {"COMPLETED"}


async def traced(inn: LiveNetwork, request_id: str, spans: dict) -> bool:
    try:
        report = await inn.client.trace(request_id)
    except UsageProblem:  # events follow the answer after some milliseconds
        return False
    spans.clear()
    spans.update({span.span_id: span for span in report.spans})
    return len(spans) == 7 and all(span.status == "COMPLETED" for span in spans.values())


async def test_a_discovered_use_and_a_static_one_look_alike(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        assert (await call(inn, "desk/tally", "four")).result == 4


async def test_a_repeated_request_id_returns_the_one_outcome(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        first = await call(inn, "kitchen/note", "once", request_id="same")
        again = await call(inn, "kitchen/note", "once", request_id="same")
        assert first == again
        assert effects(inn) == ["once"]


async def test_a_repeat_joins_the_request_that_is_still_worked_on(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        held = await holding(inn)
        repeat = asyncio.ensure_future(call(inn, "kitchen/hold", "held", request_id="held"))
        release(inn)
        assert await held == await repeat
        assert effects(inn) == ["held"]


async def test_a_failing_step_fails_the_task_and_tells_what_was_finished(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        response = await call(inn, "kitchen/burn", "toast")
        assert response.error is not None
        assert (response.status, response.error.code, response.error.message) == (
            Status.FAILED,
            "HANDLER_FAILED",
            "burnt",
        )
        assert response.partial == {"first": "chopped"}


async def test_waiting_tasks_are_told_their_position_and_the_urgent_goes_first(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        held = await holding(inn)
        positions: dict[str, int] = {}

        async def queued(text: str, priority: str) -> asyncio.Task[WorkResponse]:
            task = asyncio.ensure_future(
                call(
                    inn,
                    "kitchen/note",
                    text,
                    priority=priority,
                    on_accepted=lambda accepted: positions.setdefault(text, accepted.queue_position),
                )
            )
            await eventually(lambda: text in positions, f"the acceptance of {text}")
            return task

        waiting = [await queued("low", "low"), await queued("normal", "normal"), await queued("critical", "critical")]
        assert positions == {"low": 0, "normal": 0, "critical": 0}
        release(inn)
        await asyncio.gather(held, *waiting)
        assert effects(inn) == ["held", "critical", "normal", "low"]


async def test_a_later_task_of_the_same_priority_stands_behind(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        held = await holding(inn)
        positions: list[int] = []
        waiting = []
        for number in range(3):
            waiting.append(
                asyncio.ensure_future(
                    call(inn, "kitchen/note", str(number), on_accepted=lambda a: positions.append(a.queue_position))
                )
            )
            await eventually(lambda number=number: len(positions) == number + 1, "the acceptance")
        assert positions == [0, 1, 2]
        release(inn)
        await asyncio.gather(held, *waiting)
        assert effects(inn) == ["held", "0", "1", "2"]


async def test_a_full_queue_refuses_before_it_accepts(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        held = await holding(inn)
        waiting = [asyncio.ensure_future(call(inn, "kitchen/note", str(number))) for number in range(3)]
        await eventually(lambda: queue_is(inn, 4), "a full queue")
        response = await call(inn, "kitchen/note", "one too many")
        assert response.error is not None
        assert (response.status, response.error.code) == (Status.REJECTED, "QUEUE_FULL")
        assert response.error.message == "the queue of kitchen is full: 4 of 4 tasks wait or are worked on"
        release(inn)
        await asyncio.gather(held, *waiting)


async def queue_is(inn: LiveNetwork, depth: int) -> bool:
    return len(await inn.client.requests("PENDING")) == depth


async def test_running_and_waiting_tasks_can_be_cancelled(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        held = await holding(inn)
        waiting = asyncio.ensure_future(call(inn, "kitchen/note", "never", request_id="waiting"))
        await eventually(lambda: queue_is(inn, 2), "two pending tasks")
        cancelled = await inn.client.cancel("waiting")
        assert cancelled.response is not None
        assert cancelled.response.status is Status.CANCELLED
        await inn.client.cancel("held")
        assert [(await held).status, (await waiting).status] == [Status.CANCELLED, Status.CANCELLED]
        assert effects(inn) == []


async def test_an_asynchronous_call_returns_when_it_is_claimed_and_its_result_is_there_later(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        accepted = await inn.client.call("kitchen/hold", "later", mode="async", request_id="a1")
        assert isinstance(accepted, TaskAccepted)
        pending = await inn.client.result("a1", wait=False)
        assert isinstance(pending, Standing)
        assert (pending.status, pending.state) == ("PENDING", "RUNNING")
        release(inn)
        done = await inn.client.result("a1")
        assert isinstance(done, WorkResponse)
        assert done.result == "later"
        [report] = await inn.client.requests()
        assert (report.request_id, report.status, report.task, report.caller, report.attempts) == (
            "a1",
            "COMPLETED",
            "hold",
            "_client-tester",
            1,
        )


async def test_an_unknown_request_is_the_callers_mistake(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        for asked in (inn.client.result("nobody"), inn.client.cancel("nobody"), inn.client.trace("nobody")):
            with pytest.raises(UsageProblem, match="nobody knows a request nobody"):
                await asked


async def test_a_task_expires_while_it_runs_and_before_it_starts(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        held = await holding(inn)
        late = await call(inn, "kitchen/note", "too late", deadline=0.3, request_id="late")
        assert late.status is Status.EXPIRED
        release(inn)
        await held
        await eventually(lambda: recorded(inn, "late"), "a recorded expiry")
        assert effects(inn) == ["held"]
        (inn.workspace.directory / "release").unlink()
        running = await call(inn, "kitchen/hold", "never", deadline=0.3)
        assert running.status is Status.EXPIRED


async def recorded(inn: LiveNetwork, request_id: str) -> bool:
    found = await inn.client.result(request_id, wait=False)
    return isinstance(found, WorkResponse) and found.status is Status.EXPIRED


async def test_progress_reaches_the_caller(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        release(inn)
        heard: list[TaskProgress] = []
        await call(inn, "kitchen/hold", "x", on_progress=heard.append)
        assert [(hint.message, hint.percent) for hint in heard] == [("holding", 50)]


async def test_a_stopping_network_finishes_what_is_in_hand(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        held = await holding(inn)
        stopping = asyncio.ensure_future(inn.runner.stop_ensembles())
        await asyncio.sleep(0)
        release(inn)
        assert (await held).status is Status.COMPLETED
        await stopping
