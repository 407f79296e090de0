"""`agent`: let an agent work on a prompt, with its tools."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from pydantic import JsonValue

from runner.agents.route import first_available
from runner.capability import CapabilityInfo
from runner.errors import CallFailed
from runner.model import Agent, AgentStep
from runner.steps.scope import Scope
from runner.work import Code


async def run(step: AgentStep, scope: Scope) -> JsonValue:
    agent = scope.ensemble.agents[step.agent]
    model = first_available(scope.models.get(agent.model, ()), agent.model)
    return await model.reply(agent, scope.input(step.prompt), _AgentTools(agent, scope))


@dataclass(frozen=True, slots=True)
class _AgentTools:
    """The tools that one agent was given, own tools and uses alike. Calls are numbered within the step."""

    agent: Agent
    scope: Scope
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def describe(self, name: str) -> CapabilityInfo | None:
        return self.scope.assignment.describe(name) if name in self.agent.tools else None

    async def call(self, name: str, input: JsonValue) -> JsonValue:
        if name not in self.agent.tools:
            raise CallFailed(
                f"the agent `{self.agent.name}` has no tool `{name}`",
                code=Code.STEP_FAILED,
                hint=f"list it under `tools` of the agent in ensemble `{self.scope.ensemble.name}`",
            )
        assignment = self.scope.assignment
        call = assignment.tool if name in self.scope.ensemble.tools else assignment.use
        return await call(name, input, place=(*self.scope.place, next(self._numbers)))
