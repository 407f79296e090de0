"""A user's function, ready to be called with a request's input."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import JsonValue

from runner.assignment import Assignment, Place
from runner.functions.context import BlockingContext, Context
from runner.functions.raised import Escaped, ordinary
from runner.functions.results import jsonable
from runner.functions.signature import Signature, read_signature
from runner.functions.standing import frames_of


class UserFunction:
    """Call it with an input and plain JSON data comes back. Exceptions of the function come through as they are,
    and as Escaped what is no `Exception`."""

    __slots__ = ("_executor", "_function", "_is_async", "_shown", "_signature")

    def __init__(self, function: Callable[..., Any], signature: Signature, executor: Executor, shown: str) -> None:
        self._function = function
        self._signature = signature
        self._executor = executor
        self._shown = shown
        self._is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004 - an object with an async __call__
        )

    @property
    def description(self) -> str | None:
        return self._signature.description

    @property
    def input_schema(self) -> dict[str, JsonValue] | None:
        """None where it takes natural language."""
        return self._signature.input_schema

    def on(self, executor: Executor) -> UserFunction:
        """The same function, run in other threads where it is a plain one."""
        return UserFunction(self._function, self._signature, executor, self._shown)

    async def __call__(self, input: JsonValue, assignment: Assignment, place: Place) -> JsonValue:
        """The result. Raises InvalidInput before the function runs, CallFailed with INVALID_RESPONSE after."""
        arguments = self._signature.arguments(input)
        if self._is_async:
            if self._signature.context:
                arguments[self._signature.context] = Context(assignment, place)
            return await self._on_loop(self._bound(arguments)())
        if self._signature.context is None:
            return await self._in_thread(self._bound(arguments))
        context = BlockingContext(assignment, place, asyncio.get_running_loop())
        arguments[self._signature.context] = context
        try:
            return await self._in_thread(self._bound(arguments))
        finally:
            context.abandon()

    async def _on_loop(self, work: Awaitable[Any]) -> JsonValue:
        try:
            return jsonable(await work, self._shown)
        except (Exception, asyncio.CancelledError):
            raise
        except BaseException as error:
            raise Escaped(error) from error

    async def _in_thread(self, call: Callable[[], Any]) -> JsonValue:
        loop = asyncio.get_running_loop()
        run = contextvars.copy_context().run
        result = await loop.run_in_executor(self._executor, run, self._contained, call)
        return await self._on_loop(result) if inspect.isawaitable(result) else result

    def _contained(self, call: Callable[[], Any]) -> Any:
        """Plain data, or something to await on the loop. In the thread, since converting runs the user's code too."""
        try:
            result = call()
            return result if inspect.isawaitable(result) else jsonable(result, self._shown)
        except BaseException as error:
            if (carried := ordinary(error)) is error:
                raise
            raise carried from error

    def _bound(self, arguments: dict[str, Any]) -> Callable[[], Any]:
        by_position = [arguments.pop(name) for name in self._signature.positional if name in arguments]
        return partial(self._function, *by_position, **arguments)


@dataclass(frozen=True, slots=True)
class Running:
    """A call that a thread is in. `frame` tells it from any other that runs."""

    ensemble: str
    task: str
    frame: int


def called(thread: int) -> Running | None:
    """The innermost call of a user's function that this thread is in; seen from another thread, at no cost to it."""
    for frame in frames_of(thread):
        if frame.f_code is UserFunction.__call__.__code__:
            assignment = frame.f_locals["assignment"]
            return Running(assignment.ensemble, f"{assignment.ensemble}/{assignment.request.task}", id(frame))
    return None


def prepare(function: Callable[..., Any], executor: Executor, shown: str) -> UserFunction:
    """Read a function's signature; plain functions will run in `executor`, `shown` is what messages call it.

    Raises StartFailed.
    """
    return UserFunction(function, read_signature(function, shown), executor, shown)
