"""The seam between an agent and the model that plays it."""

from __future__ import annotations

from typing import Protocol

from pydantic import JsonValue

from runner.capability import CapabilityInfo
from runner.model import Agent


class Toolbox(Protocol):
    """The agent's tools, own and remote alike. Offered for one reply."""

    def offered(self) -> tuple[str, ...]:
        """What can be called now, by name: the agent's own tools and uses, then what it finds in the catalog."""
        ...

    def describe(self, name: str) -> CapabilityInfo | None:
        """What the model is told of a tool; None while nobody provides it."""
        ...

    async def call(self, name: str, input: JsonValue) -> JsonValue:
        """Call one of the agent's tools by name. Raises CallFailed, also for a tool that the agent does not have."""
        ...


class ChatModel(Protocol):
    """A model that can play agents."""

    async def reply(self, agent: Agent, prompt: JsonValue, toolbox: Toolbox) -> JsonValue:
        """Work on the prompt, calling tools as needed, and give the final answer. Raises CallFailed."""
        ...
