"""`handoff`: another ensemble answers the caller in place of this one."""

from __future__ import annotations

from pydantic import JsonValue

from runner.model import HandoffStep
from runner.steps.scope import Scope


async def run(step: HandoffStep, scope: Scope) -> JsonValue:
    """Who it goes to; the work here ends with it."""
    return await scope.assignment.hand_off(step.use, scope.input(step.input))
