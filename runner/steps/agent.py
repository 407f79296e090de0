"""`agent`: let an agent work on a prompt, with its tools."""

from __future__ import annotations

from collections.abc import Mapping
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
    """The tools that one agent was given: own tools, uses, and what it finds in the catalog whenever it looks.

    Calls are numbered within the step.
    """

    agent: Agent
    scope: Scope
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def offered(self) -> tuple[str, ...]:
        return (*self.agent.tools, *self._found())

    def describe(self, name: str) -> CapabilityInfo | None:
        return self.scope.assignment.describe(name) if name in self.agent.tools else self._found().get(name)

    async def call(self, name: str, input: JsonValue) -> JsonValue:
        assignment, place = self.scope.assignment, (*self.scope.place, next(self._numbers))
        if name in self.agent.tools:
            call = assignment.tool if name in self.scope.ensemble.tools else assignment.use
            return await call(name, input, place=place)
        if (found := self._found().get(name)) is not None:
            return await assignment.use_found(self.agent.searches, found, input, place=place)
        if self.agent.searches and "__" in name:
            hint = f"on offer to it now: {', '.join(self._found()) or 'nothing'}"
            raise CallFailed(f"the agent `{self.agent.name}` finds no `{name}`", code=Code.NO_PROVIDER, hint=hint)
        raise CallFailed(
            f"the agent `{self.agent.name}` has no tool `{name}`",
            code=Code.STEP_FAILED,
            hint=f"list it under `tools` of the agent in ensemble `{self.scope.ensemble.name}`",
        )

    def _found(self) -> Mapping[str, CapabilityInfo]:
        """What the catalog has for it now, by the name that the agent knows it by."""
        if not self.agent.searches:
            return {}
        found = self.scope.assignment.found(self.agent.searches)
        return {f"{one.provider}__{one.name}": one for one in found}
