"""`retry` on a step: again where it failed for a time, under another id, never past the deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from pydantic import JsonValue

from runner.errors import CallFailed, Refused
from runner.functions.context import Context
from runner.host.delegation import Delegation
from runner.host.retry import pause
from runner.host.slots import Slots
from runner.host.step_ends import StepStatus
from runner.host.workplace import Workplace
from runner.model import FanOut, PythonStep, PythonTarget, Retry, TemplateStep, UseStep
from runner.templates import TemplateProblem
from runner.work import Code
from tests.support.assignments import MemoryAssignment, a_request
from tests.support.benches import Bench

DONE, FAILED, RETRYING = StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.RETRYING
THRICE = Retry(attempts=3, backoff=timedelta(seconds=4))


@pytest.fixture
def bench() -> Iterator[Bench]:
    with ThreadPoolExecutor(2) as executor:
        yield Bench(executor)


def failing(times: int, error: Exception) -> Callable[[JsonValue], JsonValue]:
    """Answers with its input after so many failures."""
    left = [error] * times

    def answer(given: JsonValue) -> JsonValue:
        if left:
            raise left.pop()
        return given

    return answer


def order(retry: Retry = THRICE, for_each: FanOut | None = None) -> UseStep:
    return UseStep(0, "order", None, "order", "{{ item }}" if for_each else "beef", for_each=for_each, retry=retry)


BUSY = CallFailed("all busy", code=Code.NO_PROVIDER, hint="later")


async def test_a_failure_that_may_pass_is_tried_again_from_another_place(bench: Bench) -> None:
    assignment = MemoryAssignment(uses={"order": failing(2, BUSY)})
    assert await bench.work(order(), assignment=assignment) == "beef"
    assert [place for _, _, place in assignment.calls] == [
        ("order",),
        ("order", "attempt 2"),
        ("order", "attempt 3"),
    ]
    assert assignment.pauses == [2.0, 4.0]  # half of 4 s, half of 8 s
    assert bench.told == [
        ("order attempt 1", RETRYING, "attempt 1 of 3: all busy"),
        ("order attempt 2", RETRYING, "attempt 2 of 3: all busy"),
        ("order", DONE, None),
    ]


async def test_the_last_attempts_failure_is_the_steps(bench: Bench) -> None:
    assignment = MemoryAssignment(uses={"order": failing(9, BUSY)})
    failed = await bench.failure(order(), assignment=assignment)
    assert (failed.error.code, failed.error.message) == ("NO_PROVIDER", "all busy")
    assert len(assignment.calls) == 3
    assert [status for _, status, _ in bench.told] == [RETRYING, RETRYING, FAILED]


@pytest.mark.parametrize(
    "error",
    [
        Refused("closed"),
        TemplateProblem("broken"),
        *(
            CallFailed("no", code=code)
            for code in (
                "AUTHORITY_EXCEEDED",
                "CANCELLED",
                "DELEGATION_CYCLE",
                "HOPS_EXCEEDED",
                "INVALID_INPUT",
                "NOT_WIRED",
                "REFUSED",
                "TEMPLATE_FAILED",
            )
        ),
    ],
    ids=lambda error: str(getattr(error, "code", "template")),
)
async def test_what_would_end_the_same_way_is_not_tried_again(bench: Bench, error: Exception) -> None:
    assignment = MemoryAssignment(uses={"order": failing(1, error)})
    await bench.failure(order(), assignment=assignment)
    assert len(assignment.calls) == 1
    assert [status for _, status, _ in bench.told] == [FAILED]


async def test_an_attempt_that_would_begin_after_the_deadline_is_not_made(bench: Bench) -> None:
    request = a_request(deadline=timedelta(seconds=7))
    assignment = MemoryAssignment(request=request, uses={"order": failing(9, BUSY)})
    failed = await bench.failure(order(Retry(9, timedelta(seconds=4))), assignment=assignment)
    assert failed.error.code == "NO_PROVIDER"
    assert assignment.pauses == [2.0, 4.0]  # the clock stands still here: 8 s would be too long


async def test_each_item_is_tried_again_by_itself(bench: Bench) -> None:
    left = {"b": 2}

    def answer(given: str) -> str:
        if left.get(given, 0):
            left[given] -= 1
            raise BUSY
        return given.upper()

    assignment = MemoryAssignment(request=a_request(["a", "b"]), uses={"order": answer})
    step = order(for_each=FanOut("{{ context }}", 1))
    assert await bench.work(step, assignment=assignment) == ["A", "B"]
    assert [place for _, _, place in assignment.calls] == [
        ("order", "[0]"),
        ("order", "[1]"),
        ("order", "[1]", "attempt 2"),
        ("order", "[1]", "attempt 3"),
    ]
    assert [label for label, _, _ in bench.told] == ["order [1] attempt 1", "order [1] attempt 2", "order"]


async def test_what_must_happen_once_has_one_key_for_all_attempts_and_each_item_its_own(bench: Bench) -> None:
    keys: list[str] = []

    async def charge(text: str, context: Context) -> None:
        keys.append(context.idempotency_key)
        if len(keys) in (1, 3):
            raise OSError("the line is down")

    items = FanOut(["a", "b"], 1)
    step = PythonStep(0, None, None, PythonTarget("kitchen.py", "f"), "{{ item }}", for_each=items, retry=THRICE)
    await bench.work(step, function=charge)
    assert keys == [keys[0], keys[0], keys[2], keys[2]]
    assert keys[0] != keys[2]


async def test_a_failing_template_is_rendered_once(bench: Bench) -> None:
    failed = await bench.failure(TemplateStep(0, None, None, "{{ 1 / 0 }}", retry=THRICE))
    assert (failed.error.code, [status for _, status, _ in bench.told]) == ("TEMPLATE_FAILED", [FAILED])


def test_the_wait_doubles_and_is_any_part_of_that_by_chance() -> None:
    retry = Retry(99, timedelta(seconds=3))
    assert [pause(retry, attempt, lambda: 1.0) for attempt in (1, 2, 3, 4)] == [3, 6, 12, 24]
    assert [pause(retry, 3, lambda part=part: part) for part in (0.0, 0.25, 0.5)] == [0, 3, 6]
    assert pause(Retry(10**6, timedelta.max), 10**6, lambda: 1.0) > 0


async def test_a_pause_holds_no_slot() -> None:
    slots = Slots(1, lambda: None)
    assert slots.take()
    delegation = Delegation(cast(Workplace, SimpleNamespace(slots=slots)), a_request(), "prepare-meal")
    waiting = asyncio.create_task(delegation.pause(0.01))
    await asyncio.sleep(0)
    assert slots.free == 1
    await waiting
    assert slots.free == 0
