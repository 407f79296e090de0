"""`python`: call a function that is no tool of its own."""

from __future__ import annotations

from pydantic import JsonValue

from runner.model import PythonStep
from runner.steps.scope import Scope


async def run(step: PythonStep, scope: Scope) -> JsonValue:
    function = scope.function(step.python)
    return await function(scope.input(step.input), scope.assignment, scope.place)
