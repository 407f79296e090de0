"""One piece of work, a task's steps or one tool, and the door where what they raise becomes an outcome."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import JsonValue

from runner.assignment import Assignment
from runner.errors import CallFailed
from runner.functions.calling import UserFunction
from runner.functions.raised import described
from runner.functions.signature import InvalidInput
from runner.host.contract import expected, misfit
from runner.host.failures import explained
from runner.host.progress import Progress
from runner.host.retry import Chance, with_retries
from runner.host.step_ends import OnStep, StepStatus
from runner.host.step_order import StepOrder
from runner.model import AnyModel, AnyStep, Ensemble, HandoffStep, PythonTarget, Task
from runner.steps import for_each
from runner.steps.scope import Scope
from runner.steps.together import is_own_cancellation, together
from runner.templates import compile_expression, holds
from runner.work import Code, Status, WorkError

_T = TypeVar("_T")


class WorkFailed(CallFailed):
    """The work ended early. `status` and `error` are for the response, `partial` holds the steps that finished."""

    def __init__(self, error: WorkError, status: Status) -> None:
        super().__init__(error.message, hint=error.hint, code=error.code)
        self.error = error
        self.status = status
        self.partial: dict[str, JsonValue] | None = None


async def run_pipeline(
    task: Task,
    assignment: Assignment,
    ensemble: Ensemble,
    models: Mapping[str, tuple[AnyModel, ...]],
    function: Callable[[PythonTarget], UserFunction],
    on_step: OnStep,
    progress: Progress | None = None,
    chance: Chance = random.random,
) -> JsonValue:
    """Work through a task, or what is left of it, and give its result; `chance` spreads the waits between attempts.

    `progress` tells at any time how far it is. Raises WorkFailed, and CancelledError as it comes.
    """
    progress = progress or Progress(task)
    name = f"{ensemble.name}/{task.name}"
    scope = Scope(assignment, ensemble, models, function, {**assignment.variables, "steps": {}})
    if task.input_schema is not None:
        problem = await _door(_misfit(task.input_schema, assignment), f"the input schema of {name}", assignment)
        if problem is not None:
            error = WorkError(code=Code.INVALID_INPUT, message=problem, hint=expected(task.input_schema))
            raise WorkFailed(error, Status.REJECTED)
    work = _Steps(name, task.steps, scope, on_step, chance, progress)
    try:
        await work.run()
        if task.output is None:
            return progress.last()
        rendered = _rendered(task.output, scope.at_step("output", work.results))
        return await _door(rendered, f"the output of {name}", assignment)
    except WorkFailed as failed:
        failed.partial = progress.partial()
        raise


@dataclass(frozen=True, slots=True)
class _Steps:
    """The steps of one task at work. `results`, by id, have null for one that was passed over."""

    task: str
    steps: tuple[AnyStep, ...]
    scope: Scope
    on_step: OnStep
    chance: Chance
    progress: Progress
    results: dict[str, JsonValue] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """In the order of the file, or each as soon as what it needs is finished. Raises WorkFailed."""
        order = StepOrder.of(self.steps)
        if order is not None:
            await self._as_needed(order)
            return
        for step in self.steps:
            await self._one(step, self.results)
            if isinstance(step, HandoffStep) and self.progress.ran(step.label):
                return  # what follows is for whoever goes on here

    async def _as_needed(self, order: StepOrder) -> None:
        steps = {step.label: step for step in self.steps}
        finished: set[str] = set()
        running: dict[asyncio.Task[None], str] = {}
        async with together() as group:
            while True:
                for label in order.ready({*finished, *running.values()}, finished):
                    seen = {needed: self.results[needed] for needed in order.before(label)}
                    running[group.create_task(self._one(steps[label], seen))] = label
                if not running:
                    return
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                finished.update(running.pop(task) for task in done)

    async def _one(self, step: AnyStep, seen: Mapping[str, JsonValue]) -> None:
        """One step, unless an earlier start finished it."""
        kept = self.progress.kept.of(step.label)
        if kept is None:
            where = f"step `{step.label}` of {self.task}"
            scope = self.scope.at_step(step.label, seen)
            await _door(self._told(step, scope), where, scope.assignment)
        elif kept.ran:
            self.progress.finished[step.label] = kept.output
        self.ended.add(step.label)
        output = self.progress.finished.get(step.label)
        if step.id is not None:
            self.results[step.id] = output
        if kept is None and len(self.ended) < len(self.steps):  # after the last there is nothing to go on with
            await self.progress.kept.keep(step.label, output=output, ran=self.progress.ran(step.label))

    async def _told(self, step: AnyStep, scope: Scope) -> None:
        """Run a step, keep its output unless its `when` is false, tell of it."""
        started_at, started = datetime.now(UTC), time.perf_counter()
        status, message = StepStatus.FAILED, None
        try:
            if step.when is not None and not holds(compile_expression(step.when), scope.variables):
                status = StepStatus.SKIPPED
                return
            self.progress.finished[step.label] = await self._result(step, scope)
            status = StepStatus.COMPLETED
        except BaseException as error:
            message = described(error)
            if is_own_cancellation(error):
                status, message = StepStatus.CANCELLED, None
            raise
        finally:
            self.on_step(scope.place, started_at, (time.perf_counter() - started) * 1000, status, message)

    async def _result(self, step: AnyStep, scope: Scope) -> JsonValue:
        """Each item is tried again, and kept, by itself."""

        async def once(scope: Scope) -> JsonValue:
            return await with_retries(step, scope, self.on_step, self.chance)

        async def item(scope: Scope) -> JsonValue:
            mark = (step.label, str(scope.variables["index"]))
            if (kept := self.progress.kept.of(*mark)) is not None:
                return kept.output
            output = await once(scope)
            await self.progress.kept.keep(*mark, output=output)
            return output

        return await (once(scope) if step.for_each is None else for_each.run(step.for_each, scope, item))


async def run_tool(function: UserFunction, input: JsonValue, assignment: Assignment, name: str) -> JsonValue:
    """Call a tool and give its result; `name` is what messages call it. Raises WorkFailed, and CancelledError."""
    try:
        return await _door(function(input, assignment, ()), name, assignment)
    except WorkFailed as failed:
        if isinstance(failed.__cause__, InvalidInput):
            raise WorkFailed(failed.error, Status.REJECTED) from failed.__cause__
        raise


async def _door(work: Awaitable[_T], where: str, assignment: Assignment) -> _T:
    """What the work raises leaves as WorkFailed; only the cancellation of this very task passes."""
    try:
        return await work
    except BaseException as error:
        if is_own_cancellation(error):
            raise
        raise WorkFailed(explained(error, where, assignment), Status.FAILED) from error


async def _rendered(template: JsonValue, scope: Scope) -> JsonValue:
    return scope.render(template)


async def _misfit(schema: Mapping[str, JsonValue], assignment: Assignment) -> str | None:
    return misfit(schema, assignment.variables["context"])
