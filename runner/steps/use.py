"""`use`: delegate to another ensemble and wait for its result."""

from __future__ import annotations

from pydantic import JsonValue

from runner.model import UseStep
from runner.steps.scope import Scope


async def run(step: UseStep, scope: Scope) -> JsonValue:
    return await scope.assignment.use(step.use, scope.input(step.input), place=scope.place)
