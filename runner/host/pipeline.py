"""One piece of work, a task's steps in order or one tool, and the door where what they raise becomes an outcome."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, TypeVar

from pydantic import JsonValue

from runner.assignment import Assignment
from runner.errors import CallFailed
from runner.functions.calling import UserFunction
from runner.functions.raised import described
from runner.functions.signature import InvalidInput
from runner.host.failures import explained
from runner.model import AnyModel, AnyStep, Ensemble, PythonTarget, Task
from runner.steps.scope import Scope
from runner.steps.table import run_step
from runner.templates import compile_expression, holds
from runner.work import Code, Status, WorkError

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_T = TypeVar("_T")
_MAX_PROBLEMS = 5
_MAX_SCHEMA = 200


class StepStatus(StrEnum):
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


class OnStep(Protocol):
    """Told of every step as it ends. `message` is set where it failed."""

    def __call__(
        self, step: AnyStep, started_at: datetime, duration_ms: float, status: StepStatus, message: str | None
    ) -> None: ...


class WorkFailed(CallFailed):
    """The work ended early. `status` and `error` are for the response, `partial` holds the steps that finished."""

    def __init__(self, error: WorkError, status: Status, partial: dict[str, JsonValue] | None = None) -> None:
        super().__init__(error.message, hint=error.hint, code=error.code)
        self.error = error
        self.status = status
        self.partial = partial or None


async def run_pipeline(
    task: Task,
    assignment: Assignment,
    ensemble: Ensemble,
    models: Mapping[str, tuple[AnyModel, ...]],
    function: Callable[[PythonTarget], UserFunction],
    on_step: OnStep,
) -> JsonValue:
    """Work through a task and give its result. Raises WorkFailed, and CancelledError as it comes."""
    name = f"{ensemble.name}/{task.name}"
    results: dict[str, JsonValue] = {}
    finished: dict[str, JsonValue] = {}
    scope = Scope(assignment, ensemble, models, function, {**assignment.variables, "steps": results})
    if task.input_schema is not None:
        problem = await _door(_misfit(task.input_schema, scope), f"the input schema of {name}", assignment, {})
        if problem is not None:
            error = WorkError(code=Code.INVALID_INPUT, message=problem, hint=_expected(task.input_schema))
            raise WorkFailed(error, Status.REJECTED)
    last: JsonValue = None
    for step in task.steps:
        where = f"step `{step.label}` of {name}"
        if await _door(_run_one(step, scope, on_step, finished), where, assignment, finished):
            last = finished[step.label]
        if step.id is not None:
            results[step.id] = finished.get(step.label)
    if task.output is None:
        return last
    return await _door(_rendered(task.output, scope), f"the output of {name}", assignment, finished)


async def run_tool(function: UserFunction, input: JsonValue, assignment: Assignment, name: str) -> JsonValue:
    """Call a tool and give its result; `name` is what messages call it. Raises WorkFailed, and CancelledError."""
    try:
        return await _door(function(input, assignment, ()), name, assignment, {})
    except WorkFailed as failed:
        if isinstance(failed.__cause__, InvalidInput):
            raise WorkFailed(failed.error, Status.REJECTED) from failed.__cause__
        raise


async def _run_one(step: AnyStep, scope: Scope, on_step: OnStep, finished: dict[str, JsonValue]) -> bool:
    """Run a step, keep its output, tell of it. False where its `when` is false."""
    started_at, started = datetime.now(UTC), time.perf_counter()
    status, message = StepStatus.FAILED, None
    try:
        if step.when is not None and not holds(compile_expression(step.when), scope.variables):
            status = StepStatus.SKIPPED
            return False
        finished[step.label] = await run_step(step, scope)
        status = StepStatus.COMPLETED
        return True
    except BaseException as error:
        message = described(error)
        raise
    finally:
        on_step(step, started_at, (time.perf_counter() - started) * 1000, status, message)


async def _door(work: Awaitable[_T], where: str, assignment: Assignment, finished: dict[str, JsonValue]) -> _T:
    """What the work raises leaves as WorkFailed; only the cancellation of this very task passes."""
    try:
        return await work
    except BaseException as error:
        current = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and (current is None or current.cancelling()):
            raise
        raise WorkFailed(explained(error, where, assignment), Status.FAILED, finished) from error


async def _rendered(template: JsonValue, scope: Scope) -> JsonValue:
    return scope.render(template)


async def _misfit(schema: Mapping[str, JsonValue], scope: Scope) -> str | None:
    """How the context breaks the contract, or None."""
    found = _validator(json.dumps(schema)).iter_errors(scope.variables["context"])
    problems = sorted(found, key=lambda problem: problem.json_path)
    shown = [f"{problem.json_path}: {problem.message[:200]}" for problem in problems[:_MAX_PROBLEMS]]
    if len(problems) > _MAX_PROBLEMS:
        shown.append(f"and {len(problems) - _MAX_PROBLEMS} more")
    return "; ".join(shown) or None


def _expected(schema: Mapping[str, JsonValue]) -> str:
    """What a contract asks for, as far as its top level tells."""
    properties, needed = schema.get("properties"), schema.get("required")
    required = [str(name) for name in needed] if isinstance(needed, list) else []
    optional = [name for name in properties if name not in required] if isinstance(properties, dict) else []
    parts = []
    if required:
        parts.append(f"it needs {', '.join(f'`{name}`' for name in required)}")
    if optional:
        parts.append(f"it {'also ' if required else ''}takes {', '.join(f'`{name}`' for name in optional)}")
    return " and ".join(parts) or f"its `input_schema` is {json.dumps(schema)[:_MAX_SCHEMA]}"


@lru_cache(maxsize=256)
def _validator(schema_text: str) -> Validator:
    """A judge for a schema. It fetches nothing: a reference to another document does not resolve."""
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing.jsonschema import EMPTY_REGISTRY

    schema = json.loads(schema_text)
    return validator_for(schema, default=Draft202012Validator)(schema, registry=EMPTY_REGISTRY)
