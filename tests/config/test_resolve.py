"""A valid file becomes a network with nothing left to look up."""

from __future__ import annotations

from datetime import timedelta

from runner.model import (
    Agent,
    AgentStep,
    Capacity,
    Case,
    Defaults,
    Discovery,
    EmbeddedServer,
    Ensemble,
    ExternalServer,
    FanOut,
    HandoffStep,
    Network,
    PythonStep,
    PythonTarget,
    Retry,
    ScriptedModel,
    Selection,
    Share,
    StaticTarget,
    Task,
    TemplateStep,
    Tool,
    ToolStep,
    Turn,
    UnsupportedModel,
    Use,
    UseStep,
)
from runner.work import Authority, Priority
from tests.support.sources import printed, read

FILES = {
    "network.yaml": """\
network: hotel
nats: {url: nats://a:4222, credentials: "${file:nats.creds}"}
tags: {stock: {aliases: [inventory]}}
models:
  talk:
    - {provider: openai, when: "${env:KEY:-}"}
    - {provider: openai, model: any}
    - {provider: scripted, script: scripts/talk.yaml}
defaults: {priority: high, deadline: 1h30m, max_hops: 4, drain_timeout: PT30S, results_kept: 7d}
audit: {kept: 30d}
ensembles:
  kitchen: parts/kitchen.yaml
  bar:
    uses:
      meal: {to: kitchen/cook, deadline: 5m, priority: low, max_hops: 2}
      count: {discover: count, tags: [inventory, stock], select: round-robin}
""",
    "nats.creds": "SECRET\n",
    "scripts/talk.yaml": """\
cases:
  - match: table (?P<number>\\d+)
    when: "{{ agent == 'chef' }}"
    turns: [{tool: look-up, input: "{{ number }}"}, {tool: look-up, save: again, when: true}]
    say: "{{ look_up }}"
  - {say: [nothing]}
""",
    "parts/kitchen.yaml": """\
description: Cooks.
domain: food
authority: supervised
capacity: {max_concurrent: 2}
agents:
  chef: {model: talk, instructions: prompts/chef.md, tools: [look-up]}
  cook: {model: talk, instructions: Be quick.}
tools:
  look-up: {python: "lib.pantry:look_up", share: [inventory]}
  private: {python: "lib.pantry:look_up"}
tasks:
  cook:
    share: {tags: [stock, inventory], authority: autonomous}
    input_schema: cook.json
    steps:
      - {id: found, tool: look-up, when: "{{ context }}"}
      - {use: more, input: {amount: "{{ steps.found }}"}, needs: [found]}
      - {agent: chef}
      - {python: "lib.pantry:look_up", for_each: "{{ context }}", retry: {attempts: 2, backoff: 5s}}
      - {python: "lib.pantry:look_up", for_each: {items: [1, "{{ context }}"], max_concurrent: 2}, retry: {}}
      - {python: "lib.pantry:look_up", needs: [found]}
      - {template: "{{ steps.found }}", needs: [found]}
    output: {found: "{{ steps.found }}"}
  pass-on: {steps: [{template: Hm., id: word}, {handoff: more, input: "{{ steps.word }}"}]}
uses: {more: bar/none}
""",
    "parts/prompts/chef.md": "You are the chef.\n",
    "parts/cook.json": '{"type": "string"}',
    "parts/lib/pantry.py": "def look_up(what: str) -> str:\n    return what\n",
}
FILES["network.yaml"] += "    tasks: {none: {share: true, steps: [{template: Done.}]}}\n"

TARGET = PythonTarget("parts/lib/pantry.py", "look_up")

KITCHEN = Ensemble(
    name="kitchen",
    description="Cooks.",
    domain="food",
    capacity=Capacity(max_concurrent=2),
    uses={"more": Use("more", StaticTarget("bar", "none"))},
    agents={
        "chef": Agent("chef", "talk", "You are the chef.\n", ("look-up",)),
        "cook": Agent("cook", "talk", "Be quick."),
    },
    tools={
        "look-up": Tool("look-up", TARGET, share=Share(("stock",), Authority.SUPERVISED)),
        "private": Tool("private", TARGET),
    },
    tasks={
        "cook": Task(
            "cook",
            steps=(
                ToolStep(0, "found", "context", "look-up"),
                UseStep(1, None, None, "more", {"amount": "{{ steps.found }}"}, needs=("found",)),
                AgentStep(2, None, None, "chef"),
                PythonStep(
                    3,
                    None,
                    None,
                    TARGET,
                    for_each=FanOut("{{ context }}"),
                    retry=Retry(attempts=2, backoff=timedelta(seconds=5)),
                ),
                PythonStep(
                    4, None, None, TARGET, for_each=FanOut([1, "{{ context }}"], max_concurrent=2), retry=Retry()
                ),
                PythonStep(5, None, None, TARGET, needs=("found",)),
                TemplateStep(6, None, None, "{{ steps.found }}", needs=("found",)),
            ),
            output={"found": "{{ steps.found }}"},
            share=Share(("stock",), Authority.AUTONOMOUS),
            input_schema={"type": "string"},
        ),
        "pass-on": Task(
            "pass-on",
            (TemplateStep(0, "word", None, "Hm."), HandoffStep(1, None, None, "more", "{{ steps.word }}")),
        ),
    },
)

BAR = Ensemble(
    name="bar",
    uses={
        "meal": Use(
            "meal", StaticTarget("kitchen", "cook"), deadline=timedelta(minutes=5), priority=Priority.LOW, max_hops=2
        ),
        "count": Use("count", Discovery("count", ("stock",), Selection.ROUND_ROBIN)),
    },
    tasks={"none": Task("none", (TemplateStep(0, None, None, "Done."),), share=Share((), Authority.AUTONOMOUS))},
)


def test_everything_finds_its_place() -> None:
    reading = read(FILES)
    assert reading.network is not None, printed(reading.diagnostics)
    assert reading.network == Network(
        name="hotel",
        ensembles={"kitchen": KITCHEN, "bar": BAR},
        server=ExternalServer(("nats://a:4222",), "SECRET"),
        tag_aliases={"inventory": "stock"},
        models={
            "talk": (
                UnsupportedModel("openai"),
                ScriptedModel(
                    "scripts/talk.yaml",
                    (
                        Case(
                            "agent == 'chef'",
                            r"table (?P<number>\d+)",
                            (
                                Turn("look-up", "{{ number }}", "look_up"),
                                Turn("look-up", "{{ prompt }}", "again", "true"),
                            ),
                            "{{ look_up }}",
                        ),
                        Case(None, None, (), ["nothing"]),
                    ),
                ),
            )
        },
        defaults=Defaults(
            Priority.HIGH,
            timedelta(hours=1, minutes=30),
            4,
            drain_timeout=timedelta(seconds=30),
            results_kept=timedelta(days=7),
        ),
        events_kept=timedelta(days=30),
    )


def test_the_least_that_can_be_said() -> None:
    reading = read("network: n\nensembles: {a: {}}\n")
    assert reading.network == Network("n", {"a": Ensemble("a")}, EmbeddedServer())
    assert reading.diagnostics == ()


def test_credentials_do_not_show() -> None:
    assert "SECRET" not in repr(read(FILES).network)
