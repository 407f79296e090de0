"""Every kind of step with the file that runs it."""

from __future__ import annotations

from typing import assert_never

from pydantic import JsonValue

from runner.model import AgentStep, AnyStep, HandoffStep, PythonStep, TemplateStep, ToolStep, UnsupportedStep, UseStep
from runner.steps import agent, handoff, python, template, tool, unsupported, use
from runner.steps.scope import Scope


async def run_step(step: AnyStep, scope: Scope) -> JsonValue:
    """The step's result. Raises CallFailed, TemplateProblem, or whatever a user's function raised."""
    match step:
        case ToolStep():
            return await tool.run(step, scope)
        case UseStep():
            return await use.run(step, scope)
        case HandoffStep():
            return await handoff.run(step, scope)
        case TemplateStep():
            return await template.run(step, scope)
        case PythonStep():
            return await python.run(step, scope)
        case AgentStep():
            return await agent.run(step, scope)
        case UnsupportedStep():
            return await unsupported.run(step, scope)
        case _:
            assert_never(step)
