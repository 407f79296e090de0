"""`for_each`: the step once for each item, some at a time, its results a list in order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import JsonValue

from runner.errors import CallFailed
from runner.host.step_ends import StepStatus
from runner.model import AnyStep, FanOut, PythonStep, PythonTarget, TemplateStep, UseStep
from runner.work import Code
from tests.support.assignments import MemoryAssignment, a_request
from tests.support.benches import Bench

DONE, FAILED, CANCELLED = StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.CANCELLED


@pytest.fixture
def bench() -> Iterator[Bench]:
    with ThreadPoolExecutor(2) as executor:
        yield Bench(executor)


def asked(*items: JsonValue) -> MemoryAssignment:
    return MemoryAssignment(request=a_request(list(items)), uses={"order": lambda given: f"got {given}"})


def python(for_each: FanOut, input: JsonValue = "{{ item }}") -> PythonStep:
    return PythonStep(0, "all", None, PythonTarget("kitchen.py", "f"), input, for_each=for_each)


def each(at_once: int = 4, items: JsonValue = "{{ context }}") -> FanOut:
    return FanOut(items, at_once)


async def test_each_item_is_asked_for_from_a_place_of_its_own_and_results_keep_their_order(bench: Bench) -> None:
    assignment = asked("a", "b", "a")
    step = UseStep(0, "all", None, "order", "{{ index }}: {{ item }}", for_each=each())
    assert await bench.work(step, assignment=assignment) == ["got 0: a", "got 1: b", "got 2: a"]
    assert assignment.calls == [
        ("order", "0: a", ("all", "[0]")),
        ("order", "1: b", ("all", "[1]")),
        ("order", "2: a", ("all", "[2]")),
    ]
    assert bench.told == [("all", DONE, None)]


async def test_so_many_at_once_and_no_more(bench: Bench) -> None:
    busy, most = 0, 0

    async def cook(item: int) -> int:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        for _ in range(11 - item):  # the first take longest
            await asyncio.sleep(0)
        busy -= 1
        return item * 10

    result = await bench.work(python(each(3)), assignment=asked(*range(10)), function=cook)
    assert result == [item * 10 for item in range(10)]
    assert most == 3


async def test_no_items_are_no_work(bench: Bench) -> None:
    steps: list[AnyStep] = [python(each()), TemplateStep(1, None, None, "{{ steps.all | length }}")]
    assert await bench.work(*steps, assignment=asked()) == 0


async def test_a_list_may_stand_in_the_file(bench: Bench) -> None:
    step = TemplateStep(0, None, None, "{{ item }}{{ index }}", for_each=each(items=["x", "{{ context }}"]))
    assert await bench.work(step) == ["x0", "Wagyu steak1"]


async def test_the_first_item_that_fails_ends_the_others(bench: Bench) -> None:
    ended: list[str] = []

    async def cook(item: str) -> str:
        try:
            if item == "bad":
                raise ValueError("burnt")
            await asyncio.Event().wait()
        finally:
            ended.append(item)
        return item

    failed = await bench.failure(python(each(2)), assignment=asked("slow", "bad", "never"), function=cook)
    assert failed.error.model_dump() == {
        "code": "HANDLER_FAILED",
        "message": "burnt",
        "hint": "in item 1 of step `all` of kitchen/prepare-meal; the traceback is in the runner's log",
    }
    assert failed.partial is None
    assert ended == ["bad", "slow"]
    assert bench.told == [("all", FAILED, "item 1: burnt")]


async def test_an_item_that_cancels_itself_has_failed(bench: Bench) -> None:
    async def cook(item: str) -> str:
        raise asyncio.CancelledError("by itself")

    failed = await bench.failure(python(each()), assignment=asked("a"), function=cook)
    assert (failed.error.code, failed.error.message) == ("HANDLER_FAILED", "CancelledError: by itself")


async def test_the_code_of_what_an_item_was_refused_with_is_kept(bench: Bench) -> None:
    def order(given: JsonValue) -> None:
        raise CallFailed("no beef", code=Code.REFUSED, hint="ask for fish")

    assignment = MemoryAssignment(request=a_request(["beef"]), uses={"order": order})
    failed = await bench.failure(UseStep(0, None, None, "order", for_each=each()), assignment=assignment)
    assert (failed.error.code, failed.error.message, failed.error.hint) == ("REFUSED", "no beef", "ask for fish")


@pytest.mark.parametrize(
    ("items", "kind"),
    [
        ("{{ context }}", "a text"),
        ("{{ 5 }}", "a number"),
        ("{{ none }}", "nothing"),
        ("{{ true }}", "true or false"),
        ("{{ {'a': 1} }}", "a mapping"),
    ],
)
async def test_what_is_no_list_fails_the_step(bench: Bench, items: str, kind: str) -> None:
    failed = await bench.failure(python(each(items=items)))
    assert (failed.error.code, failed.error.message) == (
        Code.TEMPLATE_FAILED,
        f"`for_each` gives {kind}, not a list",
    )


async def test_more_than_a_thousand_items_are_refused_before_the_first(bench: Bench) -> None:
    failed = await bench.failure(python(each(items="{{ range(1001) | list }}")))
    assert (failed.error.code, failed.error.message) == (
        Code.TOO_MANY_ITEMS,
        "`for_each` of step `all` gives 1,001 items; a step takes 1,000",
    )
    step = TemplateStep(0, None, None, "{{ item }}", for_each=each(items="{{ range(1000) | list }}"))
    assert await bench.work(step) == list(range(1000))


async def test_cancelling_the_work_ends_every_item(bench: Bench) -> None:
    ended: list[str] = []
    begun = asyncio.Event()

    async def cook(item: str) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(item)

    work = asyncio.create_task(bench.work(python(each()), assignment=asked("a", "b"), function=cook))
    await begun.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert sorted(ended) == ["a", "b"]
    assert bench.told == [("all", CANCELLED, None)]
