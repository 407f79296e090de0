"""`tool`: call one of the ensemble's own tools."""

from __future__ import annotations

from pydantic import JsonValue

from runner.model import ToolStep
from runner.steps.scope import Scope


async def run(step: ToolStep, scope: Scope) -> JsonValue:
    return await scope.assignment.tool(step.tool, scope.input(step.input), place=scope.place)
