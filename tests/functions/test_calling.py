"""User functions: what they take, what they give, and what of the request they see."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

import pytest
from pydantic import BaseModel, JsonValue

import runner
from runner.errors import CallFailed, StartFailed
from runner.functions.calling import UserFunction, prepare
from runner.functions.context import Context
from runner.functions.raised import Escaped
from runner.functions.signature import InvalidInput
from runner.work import Code
from tests.support.assignments import MemoryAssignment, a_request

if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore[import-not-found]


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


@pytest.fixture
def ready(executor: ThreadPoolExecutor) -> Callable[[Callable[..., Any]], UserFunction]:
    return lambda function: prepare(function, executor, "kitchen.py:f")


Ready = Callable[[Callable[..., Any]], UserFunction]


class Wish(BaseModel):
    text: str


@dataclasses.dataclass
class Order:
    dish: str
    wishes: list[Wish] = dataclasses.field(default_factory=list)


def greet(name: str) -> str:
    """Greet somebody
    by name.

    At length.
    """
    return f"Hello {name}"


async def cook(dish: str, portions: int = 1, how: Literal["rare", "done"] = "done", note: str | None = None) -> str:
    return f"{portions} {dish} {how} {note}"


async def test_one_text_parameter_takes_natural_language(ready: Ready) -> None:
    function = ready(greet)
    assert function.input_schema is None
    assert function.description == "Greet somebody by name."
    assert await function("Ana", MemoryAssignment(), ()) == "Hello Ana"
    assert await function({"name": "Ana"}, MemoryAssignment(), ()) == "Hello Ana"


async def test_several_parameters_take_named_arguments(ready: Ready) -> None:
    function = ready(cook)
    assert function.input_schema == {
        "type": "object",
        "additionalProperties": False,
        "required": ["dish"],
        "properties": {
            "dish": {"type": "string"},
            "portions": {"type": "integer", "default": 1},
            "how": {"type": "string", "enum": ["rare", "done"], "default": "done"},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        },
    }
    assert await function({"dish": "cod", "portions": "2", "how": "rare"}, MemoryAssignment(), ()) == "2 cod rare None"
    assert await function("cod", MemoryAssignment(), ()) == "1 cod done None"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "`dish` is missing"),
        ({"dish": "cod", "salt": 1, "pepper": 2}, "`salt` is unknown; `pepper` is unknown"),
        ({"dish": "cod", "how": "burnt"}, "`how`: Input should be 'rare' or 'done'"),
        ({"dish": None}, "`dish`: Input should be a valid string"),
        (7, "`dish`: Input should be a valid string"),
    ],
)
async def test_arguments_that_do_not_fit_are_refused_before_the_function_runs(
    ready: Ready, given: JsonValue, message: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await ready(cook)(given, MemoryAssignment(), ())
    assert (caught.value.code, caught.value.message) == (Code.INVALID_INPUT, message)
    assert caught.value.hint == "it takes `dish`, `portions`, `how`, `note`"


async def test_a_text_for_several_needed_arguments_is_refused(ready: Ready) -> None:
    with pytest.raises(InvalidInput, match="the input is no mapping of named arguments"):
        await ready(lambda a, b: a)("text", MemoryAssignment(), ())


async def test_a_function_without_parameters_needs_no_input(ready: Ready) -> None:
    assert await ready(lambda: 7)("what is there?", MemoryAssignment(), ()) == 7


async def test_dataclasses_and_models_are_read_from_mappings_and_returned_as_mappings(ready: Ready) -> None:
    def double(order: Order) -> Order:
        return Order(order.dish * 2, order.wishes * 2)

    result = await ready(double)({"order": {"dish": "a", "wishes": [{"text": "hot"}]}}, MemoryAssignment(), ())
    assert result == {"dish": "aa", "wishes": [{"text": "hot"}, {"text": "hot"}]}


class Odd(BaseException):
    """Passes every `except Exception`."""


@pytest.mark.parametrize(
    "raised",
    [KeyboardInterrupt("x"), SystemExit(3), GeneratorExit(), Odd("x"), StopIteration(), asyncio.CancelledError()],
)
async def test_what_would_stop_the_loop_or_hang_the_call_comes_back_from_a_thread_wrapped(
    ready: Ready, raised: BaseException
) -> None:
    def explode() -> None:
        raise raised

    with pytest.raises(Escaped) as caught:
        async with asyncio.timeout(5):
            await ready(explode)({}, MemoryAssignment(), ())
    assert caught.value.error is raised


async def test_an_exhausted_iterator_in_a_plain_function_answers(ready: Ready) -> None:
    with pytest.raises(Escaped):
        async with asyncio.timeout(5):
            await ready(lambda: next(iter(())))({}, MemoryAssignment(), ())


@pytest.mark.parametrize("raised", [KeyboardInterrupt("x"), SystemExit(3), GeneratorExit(), Odd("x")])
async def test_what_would_stop_the_loop_is_wrapped_on_the_loop_too(ready: Ready, raised: BaseException) -> None:
    async def explode() -> None:
        raise raised

    with pytest.raises(Escaped) as caught:
        await ready(explode)({}, MemoryAssignment(), ())
    assert caught.value.error is raised


async def test_converting_a_result_runs_where_the_function_ran_and_is_guarded_as_it_is(ready: Ready) -> None:
    threads: list[int] = []

    def steps() -> Iterator[str]:
        threads.append(threading.get_ident())
        yield "one"
        raise KeyboardInterrupt

    with pytest.raises(Escaped):
        await ready(steps)({}, MemoryAssignment(), ())
    assert threads != [threading.get_ident()]


async def test_a_generator_may_ask_its_context(ready: Ready) -> None:
    def steps(context: Context) -> Iterator[str]:
        for text in ("one", "two"):
            yield context.call("shout", text)

    async with asyncio.timeout(5):
        assert await ready(steps)({}, MemoryAssignment(uses={"shout": str.upper}), ()) == ["ONE", "TWO"]


async def test_an_async_function_behind_a_plain_decorator_awaits_its_calls(ready: Ready) -> None:
    async def work(text: str, context: Context) -> str:
        await context.progress("half way")
        shouted: str = await context.call("shout", text)
        return shouted

    @functools.wraps(work)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        return work(*args, **kwargs)

    async with asyncio.timeout(5):
        assert await ready(decorated)("hi", MemoryAssignment(uses={"shout": str.upper}), ()) == "HI"


@pytest.mark.parametrize("result", [object(), float("nan"), {"deep": "\ud800"}])
async def test_a_result_that_json_cannot_carry_is_an_invalid_response(ready: Ready, result: object) -> None:
    async def on_loop() -> object:
        return result

    for function in (lambda: result, on_loop):
        with pytest.raises(CallFailed) as caught:
            await ready(function)({}, MemoryAssignment(), ())
        assert caught.value.code == Code.INVALID_RESPONSE


async def test_plain_functions_run_off_the_event_loop_and_async_ones_on_it(ready: Ready) -> None:
    async def on_loop() -> int:
        return threading.get_ident()

    here = threading.get_ident()
    assert await ready(lambda: threading.get_ident())({}, MemoryAssignment(), ()) != here
    assert await ready(on_loop)({}, MemoryAssignment(), ()) == here


async def test_positional_parameters_open_keywords_and_callable_objects_work(ready: Ready) -> None:
    class Adder:
        async def __call__(self, a: int, /, b: int, **more: int) -> int:
            return a + b + sum(more.values())

    assert await ready(Adder())({"a": 1, "b": 2, "c": 3}, MemoryAssignment(), ()) == 6


async def test_the_context_is_given_however_it_is_annotated(ready: Ready) -> None:
    async def plain(text: str, context: Context) -> str:
        return context.request.request_id

    async def optional(text: str, asked: runner.Context | None = None) -> str:
        return asked.request.request_id if asked else "none"

    for function in (plain, optional):
        assert ready(function).input_schema is None
        assert await ready(function)("x", MemoryAssignment(), ()) == "r1"


async def test_an_async_function_awaits_its_calls_which_are_numbered(ready: Ready) -> None:
    async def work(text: str, context: Context) -> list[str]:
        await context.progress("half way", 50)
        return [await context.call("shout", text), await context.call("shout", "again")]

    assignment = MemoryAssignment(uses={"shout": str.upper})
    assert await ready(work)("hi", assignment, ("cook",)) == ["HI", "AGAIN"]
    assert assignment.calls == [("shout", "hi", ("cook", 1)), ("shout", "again", ("cook", 2))]
    assert assignment.told == [("half way", 50)]


async def test_a_plain_function_makes_the_same_calls_and_gets_the_value_itself(ready: Ready) -> None:
    def work(text: str, context: Context) -> str:
        context.progress("half way")
        shouted: str = context.call("shout", text)
        return shouted + "!"

    assignment = MemoryAssignment(uses={"shout": str.upper})
    assert await ready(work)("hi", assignment, ()) == "HI!"
    assert assignment.told == [("half way", None)]


async def test_a_failed_call_reaches_the_function(ready: Ready) -> None:
    def work(context: Context) -> str:
        try:
            context.call("nobody")
        except CallFailed as failed:
            return str(failed.code)
        return "no failure"

    assert await ready(work)({}, MemoryAssignment(), ()) == "NO_PROVIDER"


async def test_a_plain_function_that_is_given_up_on_cannot_hang_or_call_on(ready: Ready) -> None:
    seen: list[str] = []
    done = threading.Event()

    def work(context: Context) -> None:
        for _ in range(2):
            try:
                context.call("wait")
            except CallFailed as failed:
                seen.append(str(failed.code))
        done.set()

    waiting = asyncio.Event()

    async def wait(input: JsonValue) -> None:
        waiting.set()
        await asyncio.Event().wait()

    assignment = MemoryAssignment(uses={"wait": wait})
    task = asyncio.create_task(ready(work)({}, assignment, ()))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(done.wait, 10)
    assert seen == [Code.CANCELLED, Code.CANCELLED]


async def test_every_thread_of_a_plain_function_is_released_when_the_request_is_over(ready: Ready) -> None:
    """The function has returned; threads of its own still wait in `context.call`."""
    seen: list[str] = []
    workers: list[threading.Thread] = []
    everybody = asyncio.Semaphore(0)

    async def wait(input: JsonValue) -> None:
        everybody.release()
        await asyncio.Event().wait()

    def work(context: Context) -> str:
        def ask() -> None:
            with pytest.raises(CallFailed) as caught:
                context.call("wait")
            seen.append(str(caught.value.code))

        workers.extend(threading.Thread(target=ask) for _ in range(3))
        for worker in workers:
            worker.start()
        context.call("settle")
        return "served"

    async def settle(input: JsonValue) -> None:
        for _ in range(3):
            await everybody.acquire()

    async with asyncio.timeout(5):
        result = await ready(work)({}, MemoryAssignment(uses={"wait": wait, "settle": settle}), ())
    assert result == "served"
    for worker in workers:
        await asyncio.to_thread(worker.join, 5)
    assert seen == [Code.CANCELLED] * 3


async def test_a_plain_function_that_waits_is_released_at_the_end_of_its_request(ready: Ready) -> None:
    released = threading.Event()

    def work(context: Context) -> None:
        try:
            context.call("wait")
        finally:
            released.set()

    async def wait(input: JsonValue) -> None:
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await ready(work)({}, MemoryAssignment(uses={"wait": wait}), ())
    assert await asyncio.to_thread(released.wait, 3)  # long before the request's own deadline


async def test_the_idempotency_key_outlasts_redelivery_and_differs_by_step_request_and_caller() -> None:
    def key(place: tuple[str, ...] = ("cook",), **changes: Any) -> str:
        return Context(MemoryAssignment(request=a_request(**changes)), place).idempotency_key

    assert key() == key()
    assert len({key(), key(("serve",)), key(request_id="r2"), key(caller="_http")}) == 4


async def test_memory_is_not_there_yet_and_says_so() -> None:
    with pytest.raises(CallFailed) as caught:
        Context(MemoryAssignment(), ()).memory["pantry"]
    assert caught.value.code == Code.NOT_YET_SUPPORTED


@pytest.mark.parametrize(
    "make",
    [
        lambda: _unknown_annotation,
        lambda: _unreadable_type,
    ],
)
def test_a_signature_that_cannot_be_described_stops_the_start(ready: Ready, make: Callable[[], Any]) -> None:
    with pytest.raises(StartFailed, match=r"^kitchen\.py:f: "):
        ready(make())


def _unknown_annotation(a: Unknown) -> None: ...


def _unreadable_type(lock: threading.Event) -> None: ...
