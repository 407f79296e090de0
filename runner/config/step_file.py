"""A step of a task as written."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, JsonValue, model_validator

from runner.config.codes import Rule
from runner.config.fields import (
    Count,
    Duration,
    Expression,
    FileModel,
    Given,
    Name,
    PythonReference,
    StepId,
    Structure,
    problem,
)

KINDS = ("tool", "agent", "use", "handoff", "review", "template", "python")
_PROMPTED = ("agent",)
_WAITED_FOR = ("for_each", "retry", "needs")
_WITHOUT_INPUT = ("agent", "template", "review")


class RetryFile(FileModel):
    """How often and how something that failed is tried again."""

    attempts: Count = 3
    """How often it is tried in all."""
    backoff: Given[Duration] = None
    """The wait before the second attempt; it doubles from there, and is less by chance. Without it, 1s on a step."""


class ReviewFile(FileModel):
    """A gate where a human approves, edits or denies."""

    role: Name
    """Who may decide: a role of the network, or `operator`."""
    when: Given[Expression] = None
    """The gate only stands where this holds."""
    timeout: Given[Duration] = None
    """How long a decision is waited for."""
    on_timeout: Literal["deny", "approve"] = "deny"
    """What no decision in time means."""


class FanOutFile(FileModel):
    """A step that is done once for each item of a list."""

    items: Structure
    """A list, or a template that gives one."""
    max_concurrent: Count = 4
    """How many items are worked on at once."""


def _fan_out(value: object) -> object:
    return {"items": value} if isinstance(value, str | list) else value


FanOutEntry = Annotated[
    FanOutFile, BeforeValidator(_fan_out, json_schema_input_type=str | list[JsonValue] | FanOutFile)
]


class StepFile(FileModel):
    """Exactly one of `tool`, `agent`, `use`, `handoff`, `review`, `template`, `python`."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [kind]} for kind in KINDS]})

    id: Given[StepId] = None
    """By what later templates call its result: `steps.ID`."""
    when: Given[Expression] = None
    """The step is passed over where this gives false. Braces are optional."""
    tool: Given[Name] = None
    """Calls a tool of this ensemble."""
    agent: Given[Name] = None
    """Asks an agent of this ensemble."""
    use: Given[Name] = None
    """Delegates to another ensemble through one of `uses`, and waits for its result."""
    handoff: Given[Name] = None
    """Lets a task of another ensemble answer in place of this one, through one of `uses`: the end of this one."""
    review: Given[ReviewFile] = None
    """Waits for a human."""
    template: Structure = None
    """Renders a template; its value is the step's result."""
    python: Given[PythonReference] = None
    """Calls a function: `module:function`; the module stands beside this file."""
    input: Structure = None
    """What is given to it, as a template; without it the request's context."""
    prompt: Structure = None
    """What an agent is asked, as a template; without it the request's context."""
    needs: Given[tuple[StepId, ...]] = None
    """The steps that must be done before. Where no step of a task says `needs`, they run in order; where one does, a
    step that says nothing needs nothing."""
    for_each: Given[FanOutEntry] = None
    """Does the step once for each item of a list: its templates see `item` and `index`, its result is a list."""
    retry: Given[RetryFile] = None
    """How often and how the step, or each item of it, is tried again when it fails for a time."""

    @property
    def kind(self) -> str:
        return next(kind for kind in KINDS if kind in self.model_fields_set)

    @model_validator(mode="after")
    def _one_kind(self) -> StepFile:
        written = self.model_fields_set
        kinds = [kind for kind in KINDS if kind in written]
        if not kinds:
            raise problem(Rule.MISSING_KEY, "this step says nothing to do", f"give it one of: {', '.join(KINDS)}")
        if len(kinds) > 1:
            message = f"this step has `{kinds[0]}` and `{kinds[1]}`; a step does one thing"
            raise problem(Rule.CONFLICTING_KEYS, message, "make two steps of it")
        if kinds[0] == "handoff" and (odd := next((key for key in _WAITED_FOR if key in written), None)):
            hint = "nobody waits here for what it gives; for that, write `use:`"
            raise problem(Rule.CONFLICTING_KEYS, f"`handoff` steps take no `{odd}`", hint)
        if "prompt" in written and kinds[0] not in _PROMPTED:
            hint = "write `input:`" if kinds[0] not in _WITHOUT_INPUT else "leave it out"
            raise problem(Rule.CONFLICTING_KEYS, f"`{kinds[0]}` steps take no `prompt`", hint)
        if "input" in written and kinds[0] in _WITHOUT_INPUT:
            hint = "write `prompt:`" if kinds[0] == "agent" else "leave it out"
            raise problem(Rule.CONFLICTING_KEYS, f"`{kinds[0]}` steps take no `input`", hint)
        return self
