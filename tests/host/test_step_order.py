"""`needs`: a step runs as soon as what it needs is finished, beside whatever else runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from runner.errors import Refused
from runner.host.step_ends import StepStatus
from runner.host.step_order import StepOrder
from runner.model import AnyStep, PythonStep, PythonTarget, TemplateStep
from tests.support.assignments import MemoryAssignment
from tests.support.benches import Bench

DONE, SKIPPED, CANCELLED = StepStatus.COMPLETED, StepStatus.SKIPPED, StepStatus.CANCELLED


@pytest.fixture
def bench() -> Iterator[Bench]:
    with ThreadPoolExecutor(2) as executor:
        yield Bench(executor)


def python(index: int, id: str, needs: tuple[str, ...] | None = None) -> PythonStep:
    return PythonStep(index, id, None, PythonTarget("kitchen.py", "f"), id, needs=needs)


def template(
    index: int, value: JsonValue, id: str | None = None, needs: tuple[str, ...] | None = None, when: str | None = None
) -> TemplateStep:
    return TemplateStep(index, id, when, value, needs=needs)


class Kitchen:
    """A function that begins, by its input, and ends when it is let go."""

    def __init__(self, *held: str) -> None:
        self.gates = {name: asyncio.Event() for name in held}
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.moved = asyncio.Event()

    async def __call__(self, name: str) -> str:
        self.begun.append(name)
        self.moved.set()
        try:
            if name in self.gates:
                await self.gates[name].wait()
        finally:
            self.ended.append(name)
        return name.upper()

    async def until_begun(self, *names: str) -> None:
        async with asyncio.timeout(5):
            while self.begun != list(names):
                self.moved.clear()
                await self.moved.wait()


async def test_steps_that_need_nothing_of_each_other_run_at_once(bench: Bench) -> None:
    kitchen = Kitchen("a", "b", "c")
    steps = (python(0, "c", ("a", "b")), python(1, "a"), python(2, "b", ()))
    work = asyncio.create_task(
        bench.work(*steps, output="{{ steps.a }}{{ steps.b }}{{ steps.c }}", function=kitchen.__call__)
    )
    await kitchen.until_begun("a", "b")
    kitchen.gates["b"].set()
    kitchen.gates["a"].set()
    await kitchen.until_begun("a", "b", "c")
    kitchen.gates["c"].set()
    assert await work == "ABC"
    assert sorted(bench.told[:2]) == [("a", DONE, None), ("b", DONE, None)]
    assert bench.told[2:] == [("c", DONE, None)]


async def test_where_no_step_says_needs_they_run_in_order(bench: Bench) -> None:
    kitchen = Kitchen()
    await bench.work(python(0, "b"), python(1, "a"), function=kitchen.__call__)
    assert kitchen.begun == ["b", "a"]


async def test_what_was_passed_over_counts_as_finished_with_null(bench: Bench) -> None:
    steps = (
        template(0, "{{ steps.a is none }}", "b", ("a",)),
        template(1, "never", "a", when="false"),
    )
    assert await bench.work(*steps) is True
    assert bench.told == [("a", SKIPPED, None), ("b", DONE, None)]


async def test_a_step_sees_what_it_needs_and_what_that_needs_whatever_else_is_done(bench: Bench) -> None:
    steps = (
        template(0, 1, "a"),
        template(1, 2, "b", ("a",)),
        template(2, 3, "other"),
        template(3, "{{ steps | sort | join }}", "c", ("b",)),
    )
    output = "{{ steps.c }} of {{ steps | sort | join }}"
    assert await bench.work(*steps, output=output) == "ab of abcother"


async def test_without_an_output_the_last_step_of_the_file_that_ran_answers(bench: Bench) -> None:
    steps = (template(0, "first", "a", ("b",)), template(1, "second", "b"), template(2, "third", when="false"))
    assert await bench.work(*steps) == "second"


async def test_the_first_failure_ends_the_others_and_is_the_outcome(bench: Bench) -> None:
    kitchen = Kitchen("slow")

    async def cook(name: str) -> str:
        if name == "bad":
            await kitchen.until_begun("z", "slow")
            raise Refused("no more salt")
        return await kitchen(name)

    steps = (python(0, "after", ("slow",)), python(1, "z", ()), template(2, "x", "a"), python(3, "slow"))
    failed = await bench.failure(*steps, python(4, "bad"), function=cook)
    assert (failed.error.code, failed.error.message) == ("REFUSED", "no more salt")
    assert failed.partial == {"z": "Z", "a": "x"}
    assert list(failed.partial) == ["z", "a"]
    assert kitchen.ended == ["z", "slow"]
    assert bench.told[-2:] == [("bad", StepStatus.FAILED, "no more salt"), ("slow", CANCELLED, None)]


async def test_a_step_that_cancels_itself_has_failed(bench: Bench) -> None:
    async def cook(name: str) -> str:
        raise asyncio.CancelledError("by itself")

    failed = await bench.failure(python(0, "a", ()), function=cook)
    assert (failed.error.code, failed.error.message) == ("HANDLER_FAILED", "CancelledError: by itself")


async def test_cancelling_the_work_ends_every_step_of_it(bench: Bench) -> None:
    kitchen = Kitchen("a", "b")
    work = asyncio.create_task(bench.work(python(0, "a", ()), python(1, "b"), function=kitchen.__call__))
    await kitchen.until_begun("a", "b")
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert sorted(kitchen.ended) == ["a", "b"]
    assert sorted(bench.told) == [("a", CANCELLED, None), ("b", CANCELLED, None)]


async def test_calls_made_side_by_side_have_places_of_their_own(bench: Bench) -> None:
    from runner.model import UseStep

    assignment = MemoryAssignment(uses={"order": lambda given: given})
    steps: list[AnyStep] = [UseStep(0, "a", None, "order", needs=()), UseStep(1, "b", None, "order")]
    await bench.work(*steps, assignment=assignment)
    assert sorted(place for _, _, place in assignment.calls) == [("a",), ("b",)]


@given(st.lists(st.lists(st.integers(0, 8), max_size=4), min_size=1, max_size=9))
def test_every_step_becomes_ready_once_and_after_all_that_it_sees(drawn: list[list[int]]) -> None:
    """Steps may only need those drawn before them, so there is no cycle."""
    needs = [tuple(f"s{n}" for n in named if n < number) for number, named in enumerate(drawn)]
    order = StepOrder.of([template(number, "", f"s{number}", needs[number]) for number in range(len(drawn))])
    assert order is not None
    finished: set[str] = set()
    while ready := order.ready(finished, finished):
        for label in ready:
            assert order.before(label) <= finished
        finished.update(ready)
    assert finished == set(order.needs)
