"""The script of a scripted model as written: what it does and says, case by case, offline and repeatable."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from runner.config.fields import Expression, FileModel, Given, Identifier, Structure, ToolName


class TurnFile(FileModel):
    """One tool call of the model."""

    tool: ToolName
    """A tool or use of the agent, or `provider__name` of what it finds in the catalog."""
    input: Structure = "{{ prompt }}"
    """What the tool is given, as a template; without it the prompt."""
    save: Given[Identifier] = None
    """The variable that keeps the answer for later templates of the case; without it the tool's name with `_` for `-`.
    """
    when: Given[Expression] = None
    """The call is only made where this holds. It sees what earlier turns saved."""

    @property
    def variable(self) -> str:
        return self.save if self.save is not None else self.tool.replace("-", "_")


class CaseFile(FileModel):
    """One situation. Its templates see `prompt`, `agent`, `instructions`, `tools` (the names of what it may call now),
    the named groups of `match`, and what turns saved."""

    when: Given[Expression] = None
    """The case only applies where this holds. It sees `prompt`, `agent`, `instructions` and `tools`."""
    match: Given[str] = None
    """A regular expression that must be found in the prompt; its named groups become variables."""
    turns: tuple[TurnFile, ...] = ()
    """Tools called, in order."""
    say: Structure
    """The model's answer, as a template."""


class ScriptFile(FileModel):
    """What a scripted model plays."""

    cases: Annotated[tuple[CaseFile, ...], Field(min_length=1)]
    """The first case that applies is played."""
