"""`template`: put a value together from what is known."""

from __future__ import annotations

from pydantic import JsonValue

from runner.model import TemplateStep
from runner.steps.scope import Scope


async def run(step: TemplateStep, scope: Scope) -> JsonValue:
    return scope.render(step.template)
