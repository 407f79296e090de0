"""A model that plays a script: the first case that applies, its turns in order, then what it says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from runner.agents.chat import Toolbox
from runner.errors import CallFailed
from runner.model import Agent, Case, ScriptedModel
from runner.templates import TemplateProblem, compile_expression, holds, rendered
from runner.work import Code

_EXCERPT = 80


@dataclass(frozen=True, slots=True)
class ScriptPlayer:
    """Templates of a script see `prompt`, `agent`, `instructions`, `tools` (by name), the named groups of `match` (null
    where a group took no part) and what the turns saved (null where a turn was skipped)."""

    script: ScriptedModel

    async def reply(self, agent: Agent, prompt: JsonValue, toolbox: Toolbox) -> JsonValue:
        """Play the first case that applies. Raises CallFailed: STEP_FAILED where none does, TEMPLATE_FAILED."""
        tools: list[JsonValue] = [*toolbox.offered()]
        seen = {"prompt": prompt, "agent": agent.name, "instructions": agent.instructions, "tools": tools}
        try:
            for case in self.script.cases:
                variables = _applies(case, seen)
                if variables is not None:
                    return await _play(case, variables, toolbox)
        except TemplateProblem as problem:
            raise CallFailed(f"{self.script.path}: {problem.message}", code=Code.TEMPLATE_FAILED) from problem
        raise CallFailed(
            f"no case of {self.script.path} applies to {_excerpt(prompt)!r}",
            code=Code.STEP_FAILED,
            hint="end the script with a case that has neither `match` nor `when`",
        )


def _applies(case: Case, seen: Mapping[str, JsonValue]) -> dict[str, JsonValue] | None:
    """The variables of the case, or None where it does not apply. `when` sees the groups of `match`."""
    variables = dict(seen)
    if case.match is not None:
        found = _pattern(case.match).search(_text(seen["prompt"]))
        if found is None:
            return None
        variables |= found.groupdict()
    if case.when is not None and not holds(compile_expression(case.when), variables):
        return None
    return variables


async def _play(case: Case, variables: dict[str, JsonValue], toolbox: Toolbox) -> JsonValue:
    for turn in case.turns:
        if turn.when is not None and not holds(compile_expression(turn.when), variables):
            variables.setdefault(turn.save, None)
            continue
        variables[turn.save] = await toolbox.call(turn.tool, rendered(turn.input, variables))
    return rendered(case.say, variables)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise TemplateProblem(f"`match` is no regular expression: {error}") from None


def _text(prompt: JsonValue) -> str:
    return prompt if isinstance(prompt, str) else json.dumps(prompt, ensure_ascii=False)


def _excerpt(prompt: JsonValue) -> str:
    text = _text(prompt)
    return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…"
