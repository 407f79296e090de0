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
from runner.errors import CallFailed, Refused
from runner.functions.calling import UserFunction
from runner.functions.signature import InvalidInput
from runner.model import AnyModel, AnyStep, Ensemble, PythonTarget, Task
from runner.steps.scope import Scope
from runner.steps.table import run_step
from runner.templates import TemplateProblem, compile_expression, holds
from runner.work import Code, Status, WorkError

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_T = TypeVar("_T")
_MAX_MESSAGE = 2_000
_MAX_PROBLEMS = 5


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
            hint = f"{name} has a typed contract: see its input schema in the catalog"
            raise WorkFailed(WorkError(code=Code.INVALID_INPUT, message=problem, hint=hint), Status.REJECTED)
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
    except asyncio.CancelledError as error:
        current = asyncio.current_task()
        if current is None or current.cancelling():
            raise
        raise WorkFailed(_unforeseen(error, where, assignment), Status.FAILED, finished) from error
    except (Exception, SystemExit) as error:
        raise WorkFailed(_explained(error, where, assignment), Status.FAILED, finished) from error


def _explained(error: BaseException, where: str, assignment: Assignment) -> WorkError:
    match error:
        case Refused():
            return WorkError(code=Code.REFUSED, message=described(error), hint=error.hint)
        case CallFailed():
            return WorkError(code=str(error.code), message=described(error), hint=error.hint or f"in {where}")
        case TemplateProblem():
            return WorkError(code=Code.TEMPLATE_FAILED, message=described(error), hint=f"in {where}")
        case _:
            return _unforeseen(error, where, assignment)


def _unforeseen(error: BaseException, where: str, assignment: Assignment) -> WorkError:
    """The traceback goes to the log and nowhere else."""
    assignment.log.error("%s failed", where, exc_info=error)
    hint = f"in {where}; the traceback is in the runner's log"
    return WorkError(code=Code.HANDLER_FAILED, message=described(error), hint=hint)


def described(error: BaseException) -> str:
    """An exception's own message, cut to a bound; its type is named where the message says too little."""
    text = str(error).strip()
    if not text or isinstance(error, LookupError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= _MAX_MESSAGE else f"{text[:_MAX_MESSAGE]}…"


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


@lru_cache(maxsize=256)
def _validator(schema_text: str) -> Validator:
    """A judge for a schema. It fetches nothing: a reference to another document does not resolve."""
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing.jsonschema import EMPTY_REGISTRY

    schema = json.loads(schema_text)
    return validator_for(schema, default=Draft202012Validator)(schema, registry=EMPTY_REGISTRY)
