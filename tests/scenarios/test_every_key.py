"""Each key of the files, changed while the network runs: what a save of it says is in force, as seen from outside."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runner.client.connect import connect
from runner.plan.fields import CLASSES, FieldClass
from runner.state import State
from runner.work import WorkResponse
from tests.support.networks import LiveNetwork, eventually, live
from tests.support.saving import Saver

MODULE = """\
import asyncio
import itertools

from runner import Context

tries, busy, most = itertools.count(1), 0, 0


def tell(context: Context, given: object = None) -> dict:
    \"\"\"Tells what it was asked.\"\"\"
    asked = context.request
    return {
        "seconds": round(asked.deadline.total_seconds(), 1), "priority": asked.priority, "context": asked.context,
        "given": given,
        "delivery": asked.delivery and (asked.delivery.address or asked.delivery.key or asked.delivery.method),
        "ttl": asked.delivery and asked.delivery.ttl and asked.delivery.ttl.total_seconds(),
        "hops": asked.budget and asked.budget.hops, "dedupe": asked.dedupe, "need": asked.need and asked.need.name,
        "tags": asked.need and list(asked.need.tags), "provider": context._assignment.ensemble,
    }


def other() -> str:
    return "other"


async def slow() -> str:
    await asyncio.sleep(1)
    return "late"


def judged(given: object = None) -> object:
    return given


def third() -> str:
    if next(tries) % 3:
        raise ConnectionError("not now")
    return "at last"


async def crowd() -> int:
    global busy, most
    busy += 1
    most = max(most, busy)
    await asyncio.sleep(0.01)
    busy -= 1
    return most
"""
FILES = {
    "keys.py": MODULE,
    "bot.yaml": json.dumps({"cases": [{"say": "{{ instructions }}: {{ prompt }}"}]}),
    "calls.yaml": json.dumps({"cases": [{"turns": [{"tool": "look", "save": "found"}], "say": "{{ found.context }}"}]}),
    "number.json": json.dumps({"type": "number"}),
    "polite.md": "Be polite",
}
SHARED: dict[str, Any] = {"share": True}


def task(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**SHARED, "steps": list(steps), **more}


def base(placement: str) -> dict[str, Any]:
    """`asker` is looked at, `one` and `two` are whom it asks."""
    return {
        "network": "inn",
        "tags": {"red": {"description": "first", "aliases": ["crimson"]}, "blue": "second"},
        "models": {
            "bot": [{"provider": "scripted", "script": "bot.yaml"}],
            "calls": [{"provider": "scripted", "script": "calls.yaml"}],
        },
        "deliveries": {"out": {"none": True}},
        "defaults": {},
        "audit": {},
        "ensembles": {
            "asker": {
                "placement": placement,
                "capacity": {},
                "uses": {
                    "asks": {"to": "one/told"},
                    "finds": {"discover": "offer", "tags": ["red"]},
                    "waits": {"to": "one/slow", "fallback": "two/offer"},
                },
                "agents": {"bot": {"model": "bot", "instructions": "Hm", "tools": ["look"]}},
                "tools": {"look": {"python": "keys:tell", "share": {}}, "mine": {"python": "keys:other"}},
                "tasks": {
                    "ask": task({"use": "asks"}),
                    "find": task({"use": "finds"}),
                    "wait": task({"use": "waits"}),
                    "talk": task({"agent": "bot"}),
                    "work": task({"id": "first", "template": "one"}, {"id": "then", "template": "usual"}),
                },
            },
            "one": {
                "tools": {"tell": {"python": "keys:tell", "share": True}},
                "tasks": {
                    "told": task({"python": "keys:tell"}),
                    "offer": task({"template": "one"}, share=["red"]),
                    "slow": task({"python": "keys:slow"}),
                },
            },
            "two": {"tasks": {"offer": task({"template": "two"}, share={"tags": ["blue", "red"], "cost": 2})}},
        },
    }


@dataclass(frozen=True)
class Seen:
    """What can be seen of the network from outside."""

    network: LiveNetwork

    async def call(self, target: str = "asker/ask", text: Any = "hi") -> Any:
        answer = await self.network.client.call(target, text, deadline="60s")
        assert isinstance(answer, WorkResponse)
        return answer.result if answer.error is None else answer.error.code

    async def told(self, what: str, target: str = "asker/ask") -> Any:
        answer = await self.call(target)
        return answer[what] if isinstance(answer, dict) and what in answer else answer

    async def anew(self, what: str) -> Any:
        """As `told` to somebody who comes now, and says neither deadline nor priority."""
        async with connect(self.network.workspace.file, name="later") as client:
            answer = await client.call("one/told", "hi")
            return answer.result[what]

    async def offer(self, what: str, target: str = "asker/look") -> Any:
        entries = {f"{entry.provider}/{entry.name}": entry for entry in await self.network.client.catalog()}
        return getattr(entries.get(target), what, "gone")

    async def info(self) -> Any:
        answer = await self.network.client._connection.request("$SRV.INFO.asker", b"", timeout=30)
        return json.loads(answer.data)["description"]

    async def stream(self, name: str, what: str) -> Any:
        return getattr((await self.server.stream_info(name)).config, what)

    async def delivered(self, stream: str) -> bool:
        await self.network.client.call("two/offer", mode="async", delivery="out", deadline="60s")
        return (await self.server.stream_info(stream)).state.messages > 0

    async def slots(self) -> int:
        return self.network.runner._hosted["asker"].vitals.slots

    async def state(self, name: str) -> str:
        return next(e.state for e in (await self.network.client.status()).ensembles if e.name == name)

    async def announced(self, what: str) -> Any:
        return getattr(State(self.network.workspace.state).running(), what)

    @property
    def server(self) -> Any:
        return self.network.runner._ground.connection.jetstream()


Look = Callable[[Seen], Awaitable[Any]]


@dataclass(frozen=True)
class Row:
    """The keys that a save changes, by the paths of the field classes; what is looked at then, and what is seen."""

    keys: str
    change: dict[str, Any]
    look: Look
    seen: Any


def steps(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"asker.tasks.work.steps": list(steps)}


def searched(**keys: Any) -> dict[str, Any]:
    """The agent says which tools it has."""
    return {"asker.agents.bot.tools": [keys], **script("bot.yaml", say="{{ tools }}")}


def probed(**keys: Any) -> dict[str, Any]:
    return {"interval": "50ms", "failures": 1, **keys}


def use(name: str, **keys: Any) -> dict[str, Any]:
    return {f"asker.uses.{name}.{key}": value for key, value in keys.items()}


def script(file: str, **case: Any) -> dict[str, Any]:
    return {file: {"cases": [{"say": "said", **case}, {"say": "none applies"}]}}


def work(seen: Seen) -> Awaitable[Any]:
    return seen.call("asker/work")


def talk(seen: Seen) -> Awaitable[Any]:
    return seen.call("asker/talk")


def find(seen: Seen) -> Awaitable[Any]:
    return seen.call("asker/find")


CALLS = {"asker.agents.bot.model": "calls"}
LATE = {"asker.uses.waits.deadline": "200ms"}
ROWS = {
    "network": (
        Row(
            "tags",
            {"/tags.green": "third", "asker.tools.look.share.tags": ["green"]},
            lambda s: s.offer("tags"),
            ("green",),
        ),
        Row(
            "tags.*.aliases",
            {"/tags.red.aliases": ["pink"], "asker.tools.look.share.tags": ["pink"]},
            lambda s: s.offer("tags"),
            ("red",),
        ),
        Row(
            "deliveries deliveries.*.queue",
            {"/deliveries.out": {"queue": "q"}},
            lambda s: s.delivered("inn_queue"),
            True,
        ),
        Row("deliveries.*.topic", {"/deliveries.out": {"topic": "all"}}, lambda s: s.delivered("inn_topic"), True),
        Row(
            "deliveries.*.store deliveries.*.store.key deliveries.*.store.ttl",
            {"/deliveries.out": {"store": {"key": "k", "ttl": "1h"}}},
            lambda s: s.delivered("KV_inn_deliveries"),
            True,
        ),
        Row("defaults defaults.deadline", {"/defaults.deadline": "77s"}, lambda s: s.anew("seconds"), 77.0),
        Row("defaults.priority", {"/defaults.priority": "high"}, lambda s: s.anew("priority"), "HIGH"),
        Row("defaults.max_hops", {"/defaults.max_hops": 1}, Seen.call, "HOPS_EXCEEDED"),
        Row(
            "defaults.max_payload",
            {"/defaults.max_payload": 2000},
            lambda s: s.call("one/told", "x" * 3000),
            "PAYLOAD_TOO_LARGE",
        ),
        Row("defaults.max_payload", {"/defaults.max_payload": 3000}, lambda s: s.announced("max_payload"), 3000),
        Row(
            "defaults.results_kept",
            {"/defaults.results_kept": "2h"},
            lambda s: s.stream("KV_inn_results", "max_age"),
            7200.0,
        ),
        Row("audit audit.kept", {"/audit.kept": "3h"}, lambda s: s.stream("inn_events", "max_age"), 10800.0),
        Row(
            "models models.*.*.script", {"/models.bot": [{"provider": "scripted", "script": "calls.yaml"}]}, talk, "hi"
        ),
        Row(
            "models.*.*.provider",
            {"/models.bot": [{"provider": "none"}, {"provider": "scripted", "script": "calls.yaml"}]},
            talk,
            "hi",
        ),
        Row(
            "models.*.*.when",
            {
                "/models.bot": [
                    {"provider": "scripted", "script": "bot.yaml", "when": ""},
                    {"provider": "scripted", "script": "calls.yaml"},
                ]
            },
            talk,
            "hi",
        ),
        Row(
            "ensembles",
            {"/ensembles.three": {"tasks": {"new": task({"template": "new"})}}},
            lambda s: s.call("three/new"),
            "new",
        ),
    ),
    "script": (
        Row("cases cases.*.say", script("bot.yaml"), talk, "said"),
        Row("cases.*.match", script("bot.yaml", match="h(?P<rest>.)", say="{{ rest }}"), talk, "i"),
        Row("cases.*.when", script("bot.yaml", when="false"), talk, "none applies"),
        Row(
            "cases.*.turns cases.*.turns.*.tool cases.*.turns.*.save",
            script("bot.yaml", turns=[{"tool": "look", "save": "it"}], say="{{ it.provider }}"),
            talk,
            "asker",
        ),
        Row(
            "cases.*.turns.*.input",
            CALLS | script("calls.yaml", turns=[{"tool": "look", "input": "in"}], say="{{ look.given }}"),
            talk,
            "in",
        ),
        Row(
            "cases.*.turns.*.when",
            CALLS | script("calls.yaml", turns=[{"tool": "look", "when": "false"}], say="{{ look }}"),
            talk,
            None,
        ),
    ),
    "ensemble": (
        Row("description", {"asker.description": "Asks."}, Seen.info, "Asks."),
        Row("domain", {"asker.domain": "asking"}, lambda s: s.offer("domain"), "asking"),
        Row("authority", {"asker.authority": "supervised"}, lambda s: s.offer("authority"), "SUPERVISED"),
        Row("sla", {"asker.sla": "7s"}, lambda s: s.offer("sla", "asker/ask"), timedelta(seconds=7)),
        Row("capacity capacity.max_concurrent", {"asker.capacity.max_concurrent": 3}, Seen.slots, 3),
        Row(
            "capacity.queue_limit",
            {"asker.capacity.queue_limit": 33},
            lambda s: s.stream("inn_work_asker", "max_msgs"),
            33,
        ),
        Row("uses", {"asker.uses.more": "two/offer", **steps({"use": "more"})}, work, "two"),
        Row("uses.*.to", use("asks", to="two/offer"), Seen.call, "two"),
        Row("uses.*.discover", use("finds", discover="told", tags=[]), lambda s: s.told("need", "asker/find"), "told"),
        Row("uses.*.tags", use("finds", tags=["blue"]), find, "two"),
        Row("uses.*.select", use("finds", select="affinity", key="{{ context }}", prefer=["blue"]), find, "two"),
        Row("uses.*.key", use("finds", select="affinity", key="{{ context.nothing.at.all }}"), find, "TEMPLATE_FAILED"),
        Row("uses.*.prefer", use("finds", prefer=["blue"]), find, "two"),
        Row("uses.*.avoid", use("finds", avoid=["blue"], discover="offer", tags=[], prefer=["red"]), find, "one"),
        Row("uses.*.mode", use("asks", mode="async"), lambda s: s.told("status"), "PENDING"),
        Row(
            "uses.*.deadline uses.*.on_deadline",
            LATE | use("waits", on_deadline="fallback"),
            lambda s: s.call("asker/wait"),
            "two",
        ),
        Row(
            "uses.*.fallback",
            LATE | use("waits", on_deadline="fallback", fallback="one/offer"),
            lambda s: s.call("asker/wait"),
            "one",
        ),
        Row("uses.*.priority", use("asks", priority="low"), lambda s: s.told("priority"), "LOW"),
        Row("uses.*.max_hops", use("asks", max_hops=5), lambda s: s.told("hops"), 5),
        Row("uses.*.dedupe", use("asks", dedupe="content"), lambda s: s.told("dedupe"), "CONTENT"),
        Row(
            "uses.*.delivery uses.*.delivery.queue",
            use("asks", delivery={"queue": "q"}),
            lambda s: s.told("delivery"),
            "q",
        ),
        Row("uses.*.delivery.topic", use("asks", delivery={"topic": "t"}), lambda s: s.told("delivery"), "t"),
        Row("uses.*.delivery.name", use("asks", delivery="out"), lambda s: s.told("delivery"), "out"),
        Row("uses.*.delivery.none", use("asks", delivery={"none": True}), lambda s: s.told("delivery"), "none"),
        Row("uses.*.delivery.reply", use("asks", delivery={"reply": True}), lambda s: s.told("delivery"), None),
        Row(
            "uses.*.delivery.store uses.*.delivery.store.key",
            use("asks", delivery={"store": {"key": "k"}}),
            lambda s: s.told("delivery"),
            "k",
        ),
        Row(
            "uses.*.delivery.store.ttl",
            use("asks", delivery={"store": {"key": "k", "ttl": "9s"}}),
            lambda s: s.told("ttl"),
            9.0,
        ),
        Row(
            "tools",
            {"asker.tools.more": {"python": "keys:other", "share": True}},
            lambda s: s.call("asker/more"),
            "other",
        ),
        Row("tools.*.python", {"asker.tools.look.python": "keys:other"}, lambda s: s.call("asker/look"), "other"),
        Row(
            "tools.*.description",
            {"asker.tools.look.description": "Looks."},
            lambda s: s.offer("description"),
            "Looks.",
        ),
        Row("tools.*.idempotent", {"asker.tools.look.idempotent": True}, lambda s: s.offer("idempotent"), True),
        Row("tools.*.share", {"asker.tools.mine.share": True}, lambda s: s.call("asker/mine"), "other"),
        Row("tools.*.share", {"asker.tools.look.share": False}, lambda s: s.offer("tags"), "gone"),
        Row("tools.*.share.tags", {"asker.tools.look.share.tags": ["blue"]}, lambda s: s.offer("tags"), ("blue",)),
        Row("tools.*.share.cost", {"asker.tools.look.share.cost": 4}, lambda s: s.offer("cost"), 4.0),
        Row(
            "tools.*.share.authority",
            {"asker.tools.look.share.authority": "supervised"},
            lambda s: s.offer("authority"),
            "SUPERVISED",
        ),
        Row("agents agents.*.model", CALLS, talk, "hi"),
        Row("agents.*.instructions", {"asker.agents.bot.instructions": "polite.md"}, talk, "Be polite: hi"),
        Row("agents.*.tools", CALLS | {"asker.agents.bot.tools": []}, talk, "STEP_FAILED"),
        Row("agents.*.tools.*.tool", searched(tool="mine"), talk, ["mine"]),
        Row(
            "agents.*.tools.*.catalog agents.*.tools.*.catalog.tags",
            searched(catalog={"tags": ["blue"]}),
            talk,
            ["two__offer"],
        ),
        Row("agents.*.tools.*.catalog.name", searched(catalog={"name": "told"}), talk, ["one__told"]),
        Row("tasks", {"asker.tasks.more": task({"template": "more"})}, lambda s: s.call("asker/more"), "more"),
        Row(
            "tasks.*.description",
            {"asker.tasks.ask.description": "Asks."},
            lambda s: s.offer("description", "asker/ask"),
            "Asks.",
        ),
        Row("tasks.*.share", {"asker.tasks.work.share": False}, lambda s: s.offer("tags", "asker/work"), "gone"),
        Row(
            "tasks.*.share.tags", {"asker.tasks.ask.share": ["blue"]}, lambda s: s.offer("tags", "asker/ask"), ("blue",)
        ),
        Row("tasks.*.share.cost", {"asker.tasks.ask.share": {"cost": 7}}, lambda s: s.offer("cost", "asker/ask"), 7.0),
        Row(
            "tasks.*.share.authority",
            {"asker.tasks.ask.share": {"authority": "supervised"}},
            lambda s: s.offer("authority", "asker/ask"),
            "SUPERVISED",
        ),
        Row("tasks.*.output", {"asker.tasks.work.output": "out"}, work, "out"),
        Row("tasks.*.input_schema", {"asker.tasks.work.input_schema": "number.json"}, work, "INVALID_INPUT"),
        Row("tasks.*.steps tasks.*.steps.*.template", steps({"template": "three"}), work, "three"),
        Row(
            "tasks.*.steps.*.id", steps({"id": "x", "template": "four"}, {"template": "{{ steps.x }}!"}), work, "four!"
        ),
        Row("tasks.*.steps.*.when", steps({"template": "five", "when": "false"}), work, None),
        Row("tasks.*.steps.*.tool", steps({"tool": "mine"}), work, "other"),
        Row("tasks.*.steps.*.agent tasks.*.steps.*.prompt", steps({"agent": "bot", "prompt": "you"}), work, "Hm: you"),
        Row(
            "tasks.*.steps.*.use tasks.*.steps.*.input",
            steps({"use": "asks", "input": "in"}),
            lambda s: s.told("context", "asker/work"),
            "in",
        ),
        Row("tasks.*.steps.*.handoff", steps({"handoff": "finds"}), work, "one"),
        Row(
            "tasks.*.steps.*.python",
            steps({"python": "keys:tell"}),
            lambda s: s.told("provider", "asker/work"),
            "asker",
        ),
        Row(
            "tasks.*.steps.*.needs",
            steps({"id": "x", "template": "six"}, {"id": "y", "template": "{{ steps.x }}", "needs": ["x"]}),
            work,
            "six",
        ),
        Row(
            "tasks.*.steps.*.for_each tasks.*.steps.*.for_each.items",
            steps({"template": "{{ item }}", "for_each": [1, 2]}),
            work,
            [1, 2],
        ),
        Row(
            "tasks.*.steps.*.for_each.max_concurrent",
            steps({"python": "keys:crowd", "for_each": {"items": [1, 2, 3, 4], "max_concurrent": 1}}),
            work,
            [1, 1, 1, 1],
        ),
        Row(
            "tasks.*.steps.*.retry tasks.*.steps.*.retry.attempts tasks.*.steps.*.retry.backoff",
            steps({"python": "keys:third", "retry": {"attempts": 3, "backoff": "1ms"}}),
            work,
            "at last",
        ),
        Row(
            "health health.python health.input health.failures health.interval",
            {"asker.health": probed(python="keys:judged", input=False)},
            lambda s: s.state("asker"),
            "DEGRADED",
        ),
        Row(
            "health.tool health.timeout",
            {"one.health": probed(tool="tell", timeout="50ms"), "one.tools.tell.python": "keys:slow"},
            lambda s: s.state("one"),
            "DEGRADED",
        ),
        Row(
            "health.http",
            {"two.health": probed(http="http://127.0.0.1:1/")},
            lambda s: s.state("two"),
            "DEGRADED",
        ),
    ),
}

NOTHING = Row("", {}, Seen.call, None)
UNSEEN = {
    "only tells people": "tags.*.description",
    "shows under load or with time, in tests of its own": "defaults.ageing defaults.drain_timeout defaults.on_remove "
    "defaults.max_attempts capacity.backpressure tasks.*.dedupe uses.*.on_late_eta uses.*.on_constrained placement",
    "a delivery to nobody": "deliveries.*.none deliveries.*.reply deliveries.*.when uses.*.delivery.when",
    "is not supported yet": "roles clients profiles schedules memory audit.level scope replicas uses.*.authority "
    "uses.*.retry uses.*.circuit_breaker tasks.*.steps.*.review models.*.*.base_url models.*.*.model "
    "models.*.*.api_key deliveries.*.webhook deliveries.*.websocket deliveries.*.broadcast_claim "
    "uses.*.delivery.webhook uses.*.delivery.websocket uses.*.delivery.broadcast_claim",
}
"""Keys of which a save makes no difference that one call could show, and those below them."""


def changed(files: dict[str, Any], path: str, value: Any) -> None:
    """`asker.uses` is a key of an ensemble, `/tags` one of the network file, and anything else a file."""
    if path in FILES:
        files[path] = value
        return
    network = files["network.yaml"]
    top = network if path.startswith("/") else network["ensembles"]
    *way, last = path.removeprefix("/").split(".")
    for key in way:
        top[key] = top[key] if isinstance(top.get(key), dict) else {}
        top = top[key]
    top[last] = value


def saved(row: Row, placement: str) -> dict[str, str]:
    """Every file, as it is with the row's change and without those of other rows."""
    files: dict[str, Any] = {"network.yaml": deepcopy(base(placement)), **FILES}
    for path, value in row.change.items():
        changed(files, path, value)
    return {name: text if isinstance(text, str) else json.dumps(text) for name, text in files.items()}


def rows() -> Iterator[Row]:
    return (row for file in ROWS.values() for row in file)


@asynccontextmanager
async def inn(directory: Path, placement: str) -> AsyncIterator[Saver]:
    for name, text in FILES.items():
        (directory / name).write_text(text)
    async with live(directory, json.dumps(base(placement)), watch=True) as network:
        yield Saver(network)


@pytest.mark.parametrize("placement", ["inline", "process"])
async def test_what_is_saved_of_each_key_is_in_force(tmp_path: Path, placement: str) -> None:
    """Nothing of it was before, so that each row shows that its own save made the difference."""
    async with inn(tmp_path, placement) as saver:
        seen = Seen(saver.network)
        for row in rows():
            if await row.look(seen) == row.seen:
                await saver.does(*saver.unlike(saved(NOTHING, placement)))
                assert await row.look(seen) != row.seen, row
            await saver.does(*saver.unlike(saved(row, placement)))

            async def holds(row: Row = row) -> bool:
                return bool(await row.look(seen) == row.seen)

            await eventually(holds, f"{row.keys}: {row.seen!r}")


@pytest.mark.parametrize("file", ROWS)
def test_each_key_is_saved_and_seen(file: str) -> None:
    """A key is missing here: add a row that changes it, or say why nothing shows it."""
    named = {key for row in ROWS[file] for key in row.keys.split()}
    unseen = [key for keys in UNSEEN.values() for key in keys.split()]
    wanted = {path for path, field_class in CLASSES[file].items() if field_class is not FieldClass.RESTART}
    assert wanted >= named
    assert {path for path in wanted - named if not any(f"{path}.".startswith(f"{key}.") for key in unseen)} == set()
