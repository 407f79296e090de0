"""`for_each`: the step once for each item of a list, some at a time; its result is the list of results in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pydantic import JsonValue

from runner.errors import CallFailed
from runner.functions.raised import described
from runner.model import FanOut
from runner.steps.scope import Scope
from runner.steps.together import is_own_cancellation, together
from runner.templates import TemplateProblem
from runner.work import Code

MAX_ITEMS = 1_000


class ItemFailed(Exception):
    """What was done for one item raised `error`; `index` counts from 0."""

    def __init__(self, index: int, error: BaseException) -> None:
        self.index = index
        self.error = error
        super().__init__(f"item {index}: {described(error)}")


async def run(fan_out: FanOut, scope: Scope, once: Callable[[Scope], Awaitable[JsonValue]]) -> JsonValue:
    """Do it `once` for each item, at most `max_concurrent` at once. The first that fails ends the others.

    Raises ItemFailed, and TemplateProblem or CallFailed where there is no list, or too long a one.
    """
    items = _items(fan_out, scope)
    results: list[JsonValue] = [None] * len(items)
    waiting = iter(enumerate(items))

    async def work_off() -> None:
        for index, item in waiting:
            try:
                results[index] = await once(scope.at_item(index, item))
            except BaseException as error:
                if is_own_cancellation(error):
                    raise
                raise ItemFailed(index, error) from error

    async with together() as group:
        for _ in range(min(fan_out.max_concurrent, len(items))):
            group.create_task(work_off())
    return results


def _items(fan_out: FanOut, scope: Scope) -> list[JsonValue]:
    items = scope.render(fan_out.items)
    if not isinstance(items, list):
        kind = {str: "a text", dict: "a mapping", type(None): "nothing", bool: "true or false"}
        raise TemplateProblem(f"`for_each` gives {kind.get(type(items), 'a number')}, not a list")
    if len(items) > MAX_ITEMS:
        message = f"`for_each` of step `{scope.place[0]}` gives {len(items):,} items; a step takes {MAX_ITEMS:,}"
        raise CallFailed(message, code=Code.TOO_MANY_ITEMS, hint="let each item stand for several")
    return items
