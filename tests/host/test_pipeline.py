"""The pipeline: steps in order, conditions, outputs, and how what goes wrong becomes an outcome."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import JsonValue

from runner.errors import CallFailed, Refused
from runner.functions.calling import prepare
from runner.functions.context import Context
from runner.host.pipeline import WorkFailed, run_pipeline, run_tool
from runner.host.step_ends import StepStatus
from runner.model import (
    Agent,
    AgentStep,
    AnyStep,
    Case,
    Ensemble,
    PythonStep,
    PythonTarget,
    ScriptedModel,
    Task,
    TemplateStep,
    ToolStep,
    Turn,
    UnsupportedStep,
    UseStep,
)
from runner.work import Code, Status
from tests.support.assignments import MemoryAssignment, a_request
from tests.support.benches import Bench

SCRIPT = ScriptedModel(
    "chef.yaml",
    (Case(None, None, (Turn("stock", "a", "s"), Turn("order", "b", "o")), "{{ prompt }}: {{ s }}, {{ o }}"),),
)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with ThreadPoolExecutor(2) as executor:
        yield Bench(executor, {"route": (SCRIPT,)})


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even this")


def template(
    index: int,
    value: JsonValue,
    id: str | None = None,
    when: str | None = None,
) -> TemplateStep:
    return TemplateStep(index, id, when, value)


def python(index: int, id: str | None = None, input: JsonValue = None) -> PythonStep:
    return PythonStep(index, id, None, PythonTarget("kitchen.py", "f"), input)


async def test_every_kind_of_step_runs_and_the_last_one_answers(bench: Bench) -> None:
    assignment = MemoryAssignment(
        tools={"stock": lambda given: f"stock of {given}"}, uses={"order": lambda given: {"ordered": given}}
    )
    result = await bench.work(
        ToolStep(0, "stock", None, "stock"),
        UseStep(1, "order", None, "order", "{{ steps.stock }}!"),
        template(2, "{{ steps.order.ordered | length }}", "length"),
        PythonStep(
            3, None, None, PythonTarget("kitchen.py", "f"), "length {{ steps.length }} of {{ request.requestId }}"
        ),
        AgentStep(4, "cook", None, "chef", "{{ context }}"),
        assignment=assignment,
        function=lambda text: text.upper(),
    )
    assert result == "Wagyu steak: stock of a, {'ordered': 'b'}"
    assert assignment.calls == [
        ("stock", "Wagyu steak", ("stock",)),
        ("order", "stock of Wagyu steak!", ("order",)),
        ("stock", "a", ("cook", 1)),
        ("order", "b", ("cook", 2)),
    ]
    assert [label for label, status, _ in bench.told if status is StepStatus.COMPLETED] == [
        "stock", "order", "length", "3", "cook",
    ]  # fmt: skip


async def test_a_step_whose_condition_is_false_is_passed_over_and_null_for_the_rest(bench: Bench) -> None:
    result = await bench.work(
        template(0, "first", "a"),
        template(1, "second", "b", when="'lobster' in context"),
        template(2, "third", "c", when="steps.b is none"),
        template(3, "fourth", "d", when="false"),
    )
    assert result == "third"
    assert bench.told == [
        ("a", StepStatus.COMPLETED, None),
        ("b", StepStatus.SKIPPED, None),
        ("c", StepStatus.COMPLETED, None),
        ("d", StepStatus.SKIPPED, None),
    ]


async def test_the_output_is_put_together_from_the_steps(bench: Bench) -> None:
    output: JsonValue = {"all": ["{{ steps.a }}", "{{ context }}"]}
    assert await bench.work(template(0, 1, "a"), template(1, 2), output=output) == {"all": [1, "Wagyu steak"]}


async def test_an_exception_becomes_a_failure_with_its_message_and_its_traceback_only_in_the_log(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(text: str) -> None:
        raise RuntimeError("the oven is cold")

    with caplog.at_level(logging.ERROR):
        failed = await bench.failure(
            template(0, "done", "a"), python(1, "oven"), template(2, "never"), function=explode
        )
    assert (failed.status, failed.partial) == (Status.FAILED, {"a": "done"})
    assert failed.error.model_dump() == {
        "code": "HANDLER_FAILED",
        "message": "the oven is cold",
        "hint": "in step `oven` of kitchen/prepare-meal; the traceback is in the runner's log",
    }
    assert bench.told[-1] == ("oven", StepStatus.FAILED, "the oven is cold")
    assert "in explode" in caplog.text


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (Refused("we are closed"), Code.REFUSED, "we are closed"),
        (CallFailed("no such part", code=Code.NO_PROVIDER, hint="start one"), Code.NO_PROVIDER, "no such part"),
        (CallFailed("refused there", code="REFUSED"), Code.REFUSED, "refused there"),
        (CallFailed("too high", code=Code.AUTHORITY_EXCEEDED), Code.AUTHORITY_EXCEEDED, "too high"),
        (CallFailed("bad input", code=Code.INVALID_INPUT), Code.INVALID_INPUT, "bad input"),
        (KeyError("beef"), Code.HANDLER_FAILED, "KeyError: 'beef'"),
        (ValueError(), Code.HANDLER_FAILED, "ValueError"),
        (ValueError("x" * 5000), Code.HANDLER_FAILED, "x" * 2000 + "…"),
        (SystemExit(3), Code.HANDLER_FAILED, "SystemExit: 3"),
        (KeyboardInterrupt(), Code.HANDLER_FAILED, "KeyboardInterrupt"),
        (GeneratorExit("gone"), Code.HANDLER_FAILED, "GeneratorExit: gone"),
        (StopIteration(), Code.HANDLER_FAILED, "coroutine raised StopIteration"),
        (BaseException("odd"), Code.HANDLER_FAILED, "BaseException: odd"),
        (Mute(), Code.HANDLER_FAILED, "Mute"),
        (ValueError("\x1b[31m\ud800"), Code.HANDLER_FAILED, "�[31m�"),
        (CallFailed("\ud800", code="\ud800", hint="\x1b"), "�", "�"),
        (CallFailed("odd hint", code="ODD", hint=7), "ODD", "odd hint"),  # type: ignore[arg-type]
        (asyncio.CancelledError("by itself"), Code.HANDLER_FAILED, "CancelledError: by itself"),
        (TimeoutError(), Code.HANDLER_FAILED, "TimeoutError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
async def test_whatever_a_step_raises_is_a_failure_with_a_code(
    bench: Bench, error: BaseException, code: str, message: str
) -> None:
    async def explode(text: str) -> None:
        raise error

    failed = await bench.failure(python(0), function=explode)
    assert (failed.status, failed.error.code, failed.error.message) == (Status.FAILED, code, message)
    assert bench.told == [("0", StepStatus.FAILED, message)]
    failed.error.encode()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, StopIteration, BaseException])
async def test_whatever_a_plain_function_raises_is_a_failure_and_nothing_hangs(
    bench: Bench, kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    def explode(text: str) -> None:
        raise kind("odd")

    async with asyncio.timeout(5):
        failed = await bench.failure(python(0), function=explode)
    assert (failed.error.code, failed.error.message) == (Code.HANDLER_FAILED, f"{kind.__name__}: odd")
    assert "in explode" in caplog.text


@pytest.mark.parametrize(
    "value",
    [
        "{{ '%c' | format(0xD800) }}",
        "{{ '%c' | format(0xD800) }}!",
        {"deeper": "{{ context }}"},
    ],
)
async def test_a_template_whose_value_cannot_be_carried_has_failed(bench: Bench, value: JsonValue) -> None:
    context: JsonValue = "x"
    for _ in range(100):
        context = [context]
    assignment = MemoryAssignment(request=a_request(context))
    for failed in (
        await bench.failure(template(0, value), assignment=assignment),
        await bench.failure(template(0, "x"), output=value, assignment=assignment),
    ):
        assert failed.error.code == Code.TEMPLATE_FAILED
        assert failed.error.message.startswith("the value has ")


async def test_a_step_that_gets_wrong_arguments_fails_the_task(bench: Bench) -> None:
    failed = await bench.failure(python(0, input={"nosuch": 1}))
    assert (failed.status, failed.error.code) == (Status.FAILED, Code.INVALID_INPUT)


@pytest.mark.parametrize(
    ("steps", "output"),
    [
        ((template(0, "{{ nobody }}"),), None),
        ((template(0, "x", when="context"),), None),
        ((template(0, "x"),), "{{ steps.nosuch }}"),
        ((ToolStep(0, None, None, "stock", "{{ 1 / 0 }}"),), None),
    ],
)
async def test_a_template_that_fails_is_coded(bench: Bench, steps: tuple[AnyStep, ...], output: JsonValue) -> None:
    assert (await bench.failure(*steps, output=output)).error.code == Code.TEMPLATE_FAILED


async def test_a_step_that_this_version_cannot_run_fails_closed_by_name(bench: Bench) -> None:
    failed = await bench.failure(UnsupportedStep(0, None, None, "`review`"))
    assert (failed.error.code, failed.error.message) == (Code.NOT_YET_SUPPORTED, "`review` is not supported yet")


async def test_an_agent_cannot_call_a_tool_it_was_not_given(bench: Bench) -> None:
    bare = Ensemble("kitchen", agents={"chef": Agent("chef", "route", "", ())})
    with pytest.raises(WorkFailed, match="the agent `chef` has no tool `stock`"):
        await run_pipeline(
            Task("t", (AgentStep(0, None, None, "chef"),)),
            MemoryAssignment(),
            bare,
            {"route": (SCRIPT,)},
            lambda target: prepare(str.upper, bench.executor, ""),
            bench.on_step,
        )


async def test_cancelling_the_work_is_no_failure_of_it(bench: Bench) -> None:
    started = asyncio.Event()

    async def wait(text: str) -> None:
        started.set()
        await asyncio.Event().wait()

    work = asyncio.create_task(bench.work(python(0), function=wait))
    await started.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work


SCHEMA: dict[str, JsonValue] = {
    "type": "object",
    "required": ["dish"],
    "properties": {"dish": {"type": "string"}, "guests": {"type": "integer"}},
}


async def test_a_typed_contract_is_judged_before_any_step_runs(bench: Bench) -> None:
    assignment = MemoryAssignment(request=a_request({"guests": "two"}))
    failed = await bench.failure(template(0, "x"), assignment=assignment, input_schema=SCHEMA)
    assert (failed.status, failed.error.code, failed.partial) == (Status.REJECTED, Code.INVALID_INPUT, None)
    assert failed.error.message == "$: 'dish' is a required property; $.guests: 'two' is not of type 'integer'"
    assert failed.error.hint == "it needs `dish` and it also takes `guests`"
    assert bench.told == []


@pytest.mark.parametrize(
    ("schema", "hint"),
    [
        ({"required": ["a", "b"]}, "it needs `a`, `b`"),
        ({"type": "object", "properties": {"a": False}}, "it takes `a`"),
        ({"type": "array"}, 'its `input_schema` is {"type": "array"}'),
    ],
)
async def test_what_a_contract_expects_is_in_the_hint(bench: Bench, schema: dict[str, JsonValue], hint: str) -> None:
    assignment = MemoryAssignment(request=a_request({"a": 1}))
    failed = await bench.failure(template(0, "x"), assignment=assignment, input_schema=schema)
    assert failed.error.hint == hint


async def test_a_context_that_keeps_the_contract_passes(bench: Bench) -> None:
    assignment = MemoryAssignment(request=a_request({"dish": "cod"}))
    assert await bench.work(template(0, "{{ context.dish }}"), assignment=assignment, input_schema=SCHEMA) == "cod"


async def test_a_schema_that_points_elsewhere_fetches_nothing(bench: Bench) -> None:
    failed = await bench.failure(template(0, "x"), input_schema={"$ref": "http://127.0.0.1:9/schema.json"})
    assert failed.error.code == Code.HANDLER_FAILED


async def test_a_tool_answers_through_the_same_door(bench: Bench) -> None:
    def stock(text: str) -> str:
        if text == "boom":
            raise RuntimeError("the pantry burns")
        return text.upper()

    function = prepare(stock, bench.executor, "kitchen.py:stock")
    assert await run_tool(function, "cod", MemoryAssignment(), "kitchen/stock") == "COD"
    with pytest.raises(WorkFailed, match="the pantry burns") as caught:
        await run_tool(function, "boom", MemoryAssignment(), "kitchen/stock")
    assert (caught.value.status, caught.value.error.code) == (Status.FAILED, Code.HANDLER_FAILED)
    with pytest.raises(WorkFailed, match="`nosuch` is unknown") as caught:
        await run_tool(function, {"nosuch": 1}, MemoryAssignment(), "kitchen/stock")
    assert (caught.value.status, caught.value.error.code) == (Status.REJECTED, Code.INVALID_INPUT)


async def test_a_tool_whose_own_call_was_refused_has_failed_and_was_not_refused(bench: Bench) -> None:
    def refuse(given: JsonValue) -> None:
        raise CallFailed("bad input over there", code=Code.INVALID_INPUT)

    async def stock(text: str, context: Context) -> str:
        answer: str = await context.call("order", text)
        return answer

    function = prepare(stock, bench.executor, "kitchen.py:stock")
    with pytest.raises(WorkFailed) as caught:
        await run_tool(function, "cod", MemoryAssignment(uses={"order": refuse}), "kitchen/stock")
    assert (caught.value.status, caught.value.error.code) == (Status.FAILED, Code.INVALID_INPUT)
