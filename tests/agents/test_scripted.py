"""Scripted models: the first case that applies, its turns in order, then what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from pydantic import JsonValue

from runner.agents.route import first_available
from runner.agents.scripted import ScriptPlayer
from runner.capability import CapabilityInfo
from runner.errors import CallFailed
from runner.model import Agent, Case, ScriptedModel, Turn, UnsupportedModel
from runner.work import Code

CHEF = Agent("chef", "route", "Be brief.", ("stock",))


@dataclass
class Tools:
    """Answers every call and remembers it."""

    answer: Callable[[str, JsonValue], JsonValue] = lambda name, given: f"{name}({given})"
    calls: list[tuple[str, JsonValue]] = field(default_factory=list)

    def offered(self) -> tuple[str, ...]:
        return ("stock",)

    def describe(self, name: str) -> CapabilityInfo | None:
        return None

    async def call(self, name: str, input: JsonValue) -> JsonValue:
        self.calls.append((name, input))
        return self.answer(name, input)


def script(*cases: Case) -> ScriptPlayer:
    return ScriptPlayer(ScriptedModel("scripts/chef.yaml", cases))


def case(
    say: JsonValue = "said", match: str | None = None, when: str | None = None, turns: tuple[Turn, ...] = ()
) -> Case:
    return Case(when=when, match=match, turns=turns, say=say)


async def test_the_first_case_that_applies_is_played() -> None:
    player = script(
        case("no", match="fish"), case("no", when="prompt == 'x'"), case("yes", match="(?i)STEAK"), case("late")
    )
    assert await player.reply(CHEF, "a steak", Tools()) == "yes"


async def test_templates_see_prompt_agent_instructions_groups_and_saved_answers() -> None:
    turns = (Turn("stock", "{{ dish }}", "left"), Turn("cook", {"dish": "{{ dish }}", "left": "{{ left }}"}, "meal"))
    say = "{{ [prompt, agent, instructions, dish, room, left, meal] }}"
    player = script(case(say, match=r"(?P<dish>\w+) for (?P<room>\d+)?", turns=turns))
    tools = Tools()
    assert await player.reply(CHEF, "cod for ", tools) == [
        "cod for ",
        "chef",
        "Be brief.",
        "cod",
        None,
        "stock(cod)",
        "cook({'dish': 'cod', 'left': 'stock(cod)'})",
    ]
    assert tools.calls == [("stock", "cod"), ("cook", {"dish": "cod", "left": "stock(cod)"})]


async def test_a_case_asks_its_condition_of_the_groups_too() -> None:
    player = script(case("high", match=r"(?P<n>\d+)", when="n | int > 5"), case("low"))
    assert [await player.reply(CHEF, text, Tools()) for text in ("9", "3")] == ["high", "low"]


async def test_a_turn_that_is_passed_over_saves_null() -> None:
    turns = (Turn("stock", "x", "left", when="prompt == 'other'"),)
    tools = Tools()
    assert await script(case("{{ left }}", turns=turns)).reply(CHEF, "cod", tools) is None
    assert tools.calls == []


async def test_a_prompt_may_be_a_mapping_and_an_answer_too() -> None:
    player = script(case({"dish": "{{ prompt.dish }}"}, match='"dish": "cod"'))
    assert await player.reply(CHEF, {"dish": "cod"}, Tools()) == {"dish": "cod"}


async def test_where_no_case_applies_the_script_and_the_prompt_are_named() -> None:
    with pytest.raises(CallFailed) as caught:
        await script(case(match="fish")).reply(CHEF, "steak " * 50, Tools())
    assert caught.value.code == Code.STEP_FAILED
    assert caught.value.message == f"no case of scripts/chef.yaml applies to {('steak ' * 50)[:80] + '…'!r}"


@pytest.mark.parametrize("bad", [case("{{ nobody }}"), case(match="("), case(when="prompt")])
async def test_a_template_or_pattern_that_fails_names_the_script(bad: Case) -> None:
    with pytest.raises(CallFailed, match=r"^scripts/chef\.yaml: ") as caught:
        await script(bad).reply(CHEF, "cod", Tools())
    assert caught.value.code == Code.TEMPLATE_FAILED


async def test_a_tool_that_fails_ends_the_reply_with_its_own_error() -> None:
    def fail(name: str, given: JsonValue) -> JsonValue:
        raise CallFailed("no cod left", code="REFUSED")

    with pytest.raises(CallFailed, match="no cod left"):
        await script(case(turns=(Turn("stock", "x", "left"),))).reply(CHEF, "cod", Tools(fail))


def test_a_route_goes_past_models_that_cannot_be_reached() -> None:
    scripted = ScriptedModel("s.yaml", ())
    assert first_available([UnsupportedModel("openai"), scripted], "concierge") == ScriptPlayer(scripted)


def test_a_route_without_a_reachable_model_says_so() -> None:
    with pytest.raises(CallFailed, match="the model route `concierge` has no model that can be reached") as caught:
        first_available([UnsupportedModel("openai")], "concierge")
    assert caught.value.code == Code.NOT_YET_SUPPORTED
