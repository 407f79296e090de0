"""A user's function, ready to be called with a request's input."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import math
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import Any

from pydantic import JsonValue
from pydantic_core import to_jsonable_python

from runner.assignment import Assignment, Place
from runner.errors import CallFailed
from runner.functions.context import BlockingContext, Context
from runner.functions.signature import Signature, read_signature
from runner.work import Code


class UserFunction:
    """Call it with an input and plain JSON data comes back. Exceptions of the function come through as they are."""

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

    async def __call__(self, input: JsonValue, assignment: Assignment, place: Place) -> JsonValue:
        """The result. Raises InvalidInput before the function runs, CallFailed with INVALID_RESPONSE after."""
        arguments = self._signature.arguments(input)
        if self._is_async:
            if self._signature.context:
                arguments[self._signature.context] = Context(assignment, place)
            result = await self._bound(arguments)()
        else:
            result = await self._in_thread(arguments, assignment, place)
            if inspect.isawaitable(result):
                result = await result
        return jsonable(result, self._shown)

    async def _in_thread(self, arguments: dict[str, Any], assignment: Assignment, place: Place) -> Any:
        loop = asyncio.get_running_loop()
        run = contextvars.copy_context().run
        if self._signature.context is None:
            return await loop.run_in_executor(self._executor, run, self._bound(arguments))
        context = BlockingContext(assignment, place, loop)
        arguments[self._signature.context] = context
        try:
            return await loop.run_in_executor(self._executor, run, self._bound(arguments))
        finally:
            context.abandon()

    def _bound(self, arguments: dict[str, Any]) -> Callable[[], Any]:
        by_position = [arguments.pop(name) for name in self._signature.positional if name in arguments]
        return partial(self._function, *by_position, **arguments)


def prepare(function: Callable[..., Any], executor: Executor, shown: str) -> UserFunction:
    """Read a function's signature; plain functions will run in `executor`, `shown` is what messages call it.

    Raises StartFailed.
    """
    return UserFunction(function, read_signature(function, shown), executor, shown)


def jsonable(result: object, shown: str) -> JsonValue:
    """Plain JSON data of a result; dataclasses, models, tuples, dates and the like are converted, NaN becomes null.

    Raises CallFailed with INVALID_RESPONSE.
    """
    if result is None or isinstance(result, bool) or type(result) is int:
        return result
    if type(result) is float:
        return result if math.isfinite(result) else None
    try:
        if type(result) is str:
            return result if result.isascii() else result.encode().decode()
        plain: JsonValue = to_jsonable_python(result, inf_nan_mode="null")
    except (ValueError, TypeError, RecursionError) as error:
        raise CallFailed(
            f"{shown} gave what JSON cannot carry: {error}",
            code=Code.INVALID_RESPONSE,
            hint="return text, numbers, lists, mappings, dataclasses or pydantic models",
        ) from error
    return plain
