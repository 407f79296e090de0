"""Checkpoints: a task that is started again goes on where it was, and its caller gets what was finished."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from pydantic import JsonValue

from runner.bus.records import Bucket
from runner.checkpoint import Checkpoint, Mark
from runner.model import AnyStep, FanOut, PythonStep, PythonTarget, Retry, TemplateStep, UseStep
from runner.work import Status, WorkResponse
from tests.support.assignments import MemoryAssignment
from tests.support.benches import Bench
from tests.support.networks import LONG_ENOUGH, LiveNetwork, eventually, live

TARGET = PythonTarget("kitchen.py", "f")


@dataclass
class MemoryKept:
    """What is kept, in memory. It survives the one who wrote it."""

    kept: dict[Mark, Checkpoint] = field(default_factory=dict)

    def of(self, *mark: str) -> Checkpoint | None:
        return self.kept.get(mark)

    async def keep(self, *mark: str, output: JsonValue = None, ran: bool = True) -> None:
        self.kept[mark] = Checkpoint(epoch=0, definition="", ran=ran, output=output)

    @property
    def told(self) -> dict[str, JsonValue]:
        return {".".join(mark): one.output if one.ran else "passed over" for mark, one in self.kept.items()}


@pytest.fixture
def bench() -> Iterator[Bench]:
    with ThreadPoolExecutor(2) as executor:
        yield Bench(executor)


def step(index: int, id: str, input: JsonValue = None, when: str | None = None, **clauses: object) -> PythonStep:
    return replace(PythonStep(index, id, when, TARGET, input or id), **clauses)  # type: ignore[arg-type]


async def interrupted(bench: Bench, kept: MemoryKept, at: str, *steps: AnyStep) -> list[str]:
    """Start the steps and end the process where one of them is given `at`; what was done until then."""
    done: list[str] = []
    gone = asyncio.Event()

    async def do(text: str) -> str:
        if text == at:
            gone.set()
            await asyncio.Event().wait()
        done.append(text)
        return text.upper()

    working = asyncio.ensure_future(bench.work(*steps, function=do, kept=kept))
    await gone.wait()
    working.cancel()
    await asyncio.wait((working,))
    return done


async def resumed(bench: Bench, kept: MemoryKept, *steps: AnyStep) -> tuple[JsonValue, list[str]]:
    done: list[str] = []

    async def do(text: str) -> str:
        done.append(text)
        return text.upper()

    return await bench.work(*steps, function=do, kept=kept), done


async def test_finished_steps_are_not_done_again_and_their_outputs_are_there(bench: Bench) -> None:
    steps = (
        step(0, "a"),
        step(1, "b"),
        step(2, "c"),
        TemplateStep(3, None, None, "{{ steps.a }}{{ steps.b }}{{ steps.c }}"),
    )
    kept = MemoryKept()
    assert await interrupted(bench, kept, "b", *steps) == ["a"]
    assert await resumed(bench, kept, *steps) == ("ABC", ["b", "c"])


async def test_nothing_is_kept_of_the_last_step_nor_of_a_task_of_one(bench: Bench) -> None:
    kept = MemoryKept()
    await resumed(bench, kept, step(0, "only"))
    assert kept.told == {}
    await resumed(bench, kept, step(0, "a"), step(1, "b"))
    assert kept.told == {"a": "A"}


async def test_a_step_that_was_passed_over_stays_so_though_its_condition_would_hold_by_now(bench: Bench) -> None:
    kept = MemoryKept()
    await interrupted(bench, kept, "b", step(0, "a", when="false"), step(1, "b"))
    assert kept.told == {"a": "passed over"}
    steps = (step(0, "a", when="true"), step(1, "b"), TemplateStep(2, None, None, "{{ steps.a is none }}"))
    assert await resumed(bench, kept, *steps) == (True, ["b"])


async def test_of_steps_side_by_side_each_is_kept_by_itself(bench: Bench) -> None:
    steps = (
        step(0, "slow"),
        step(1, "quick"),
        step(2, "after", needs=("quick",)),
        TemplateStep(3, "all", None, "{{ steps.slow }} {{ steps.after }}", needs=("slow", "after")),
    )
    kept = MemoryKept()
    assert await interrupted(bench, kept, "after", *steps) == ["slow", "quick"]
    assert kept.told == {"slow": "SLOW", "quick": "QUICK"}
    assert await resumed(bench, kept, *steps) == ("SLOW AFTER", ["after"])


async def test_the_items_of_a_fan_out_are_kept_one_by_one(bench: Bench) -> None:
    dishes = step(0, "dishes", "{{ item }}", for_each=FanOut(["x", "y", "z"], max_concurrent=1))
    kept = MemoryKept()
    assert await interrupted(bench, kept, "y", dishes) == ["x"]
    assert kept.told == {"dishes.0": "X"}
    assert await resumed(bench, kept, dishes) == (["X", "Y", "Z"], ["y", "z"])


async def test_a_null_inside_an_output_is_kept(bench: Bench) -> None:
    output: JsonValue = {"a": None, "b": [None, {"c": None}]}
    checkpoint = Checkpoint(epoch=3, definition="d", output=output)
    assert Checkpoint.model_validate_json(checkpoint.encode()) == checkpoint


async def test_a_started_delegation_is_joined_again_from_the_same_place_whatever_attempt_it_is(bench: Bench) -> None:
    """The place names the child: attempt by attempt the second start asks what the first one asked."""
    failures = iter([OSError("busy"), OSError("busy"), None])

    def order(given: object) -> str:
        if error := next(failures, None):
            raise error
        return "ordered"

    steps = (step(0, "a"), UseStep(1, "order", None, "order", retry=Retry(attempts=3)))
    places = []
    for _ in range(2):
        kept, assignment = MemoryKept(), MemoryAssignment(uses={"order": order})
        await bench.work(*steps, kept=kept, assignment=assignment)
        places.append([place for _, _, place in assignment.calls])
        failures = iter([OSError("joined"), OSError("joined"), None])
    assert places[0] == places[1] == [("order",), ("order", "attempt 2"), ("order", "attempt 3")]


NETWORK = """\
network: inn
ensembles:
  kitchen:
    capacity: {max_concurrent: 2}
    tasks:
      dine:
        share: true
        steps:
          - {id: soup, template: "soup for {{ context }}"}
          - {id: fish, template: fish, when: "false"}
          - {id: cook, python: "inn:cook"}
"""
MODULE = """\
import asyncio
from pathlib import Path

here = Path(__file__).parent


async def say(text: str) -> str:
    with (here / "effects").open("a") as stream:
        stream.write(text[:9] + "\\n")
    return text


async def wait(text: str) -> str:
    with (here / "effects").open("a") as stream:
        stream.write("waiting\\n")
    while not (here / "release").exists():
        await asyncio.sleep(0.01)
    return f"waited for {len(text)}"


async def cook(text: str) -> str:
    if text == "nobody":
        raise ValueError("for nobody")
    await asyncio.Event().wait()
"""


@pytest.mark.usefixtures("both_placements")
@pytest.mark.parametrize(("context", "status"), [("nobody", Status.FAILED), ("us", Status.EXPIRED)])
async def test_what_a_task_finished_goes_with_its_end(tmp_path: Path, context: str, status: Status) -> None:
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        for deadline in LONG_ENOUGH:
            called = await inn.client.call("kitchen/dine", context, deadline=deadline)  # it may end before the work
            outcome = await inn.client.result(called.request_id)
            assert isinstance(outcome, WorkResponse)
            if outcome.partial and outcome.status is status:
                break
        assert (outcome.status, outcome.partial) == (status, {"soup": f"soup for {context}"})


RESTARTED = """\
network: inn
defaults: {drain_timeout: 100ms}
ensembles:
  kitchen:
    tasks:
      dine:
        share: true
        steps:
          - {id: soup, python: "inn:say"}
          - {id: fish, python: "inn:wait", input: "{{ steps.soup }}"}
          - {id: LAST, template: "{{ steps.fish }}"}
"""


async def begun(directory: Path, times: int) -> None:
    """The second step has been begun so often."""
    await eventually(lambda: is_begun(directory, times), "the second step")


def is_begun(directory: Path, times: int) -> bool:
    effects = directory / "effects"
    return effects.exists() and effects.read_text().count("waiting") == times


def is_begun_or_past(directory: Path, moment: datetime) -> bool:
    return is_begun(directory, 1) or datetime.now(UTC) > moment


@pytest.mark.usefixtures("both_placements")
@pytest.mark.parametrize(
    ("context", "last", "effects"),
    [
        ("soup", "last", ["soup", "waiting", "waiting"]),
        ("x" * 700_000, "last", ["xxxxxxxxx", "waiting", "waiting"]),
        ("soup", "changed", ["soup", "waiting", "soup", "waiting"]),
    ],
    ids=["kept", "kept in the object store", "changed since"],
)
async def test_another_start_goes_on_unless_the_steps_have_changed(
    tmp_path: Path, context: str, last: str, effects: list[str]
) -> None:
    async with live(tmp_path, RESTARTED.replace("LAST", "last"), inn=MODULE) as inn:
        await inn.client.call("kitchen/dine", context, mode="async", request_id="r1")
        await begun(tmp_path, 1)
    async with live(tmp_path, RESTARTED.replace("LAST", last), inn=MODULE) as inn:
        await begun(tmp_path, 2)
        (tmp_path / "release").touch()
        response = await inn.client.result("r1")
        assert isinstance(response, WorkResponse)
        assert (response.status, response.result) == (Status.COMPLETED, f"waited for {len(context)}")

        async def told() -> bool:
            stories = [
                event.message or "" async for event in inn.client.events(request_id="r1") if event.kind == "resumed"
            ]
            return [story.split(";")[0].split(":")[0] for story in stories] == [
                "from the beginning" if last == "changed" else "at step `fish`"
            ]

        await eventually(told, "the story of the second start")
        assert await kept_of(inn) == []
    assert (tmp_path / "effects").read_text().split() == effects


async def kept_of(inn: LiveNetwork) -> list[str]:
    """What is still kept, by key, once nothing is on its way any more."""
    bucket = Bucket(inn.client._connection, "inn_checkpoints")

    async def gone() -> bool:
        return not [entry async for entry in bucket.entries()]

    await eventually(gone, "the end of the checkpoints")
    return [entry.key async for entry in bucket.entries()]


@pytest.mark.usefixtures("both_placements")
async def test_what_an_earlier_start_finished_goes_with_the_end_of_one_that_is_not_started_again(
    tmp_path: Path,
) -> None:
    async with live(tmp_path, RESTARTED.replace("LAST", "last"), inn=MODULE) as inn:
        for deadline in LONG_ENOUGH:
            asked = await inn.client.call("kitchen/dine", "soup", mode="async", deadline=deadline)
            expires_at = datetime.now(UTC) + timedelta(seconds=deadline)
            await eventually(partial(is_begun_or_past, tmp_path, expires_at), "the second step, or the deadline")
            if is_begun(tmp_path, 1):
                break
    await eventually(lambda: datetime.now(UTC) > expires_at, "the deadline")
    async with live(tmp_path, RESTARTED.replace("LAST", "last"), inn=MODULE) as inn:
        response = await inn.client.result(asked.request_id)
        assert isinstance(response, WorkResponse)
        assert (response.status, response.partial) == (Status.EXPIRED, {"soup": "soup"})


@pytest.mark.usefixtures("both_placements")
async def test_what_waits_for_another_start_is_cancelled_with_what_it_had_finished(tmp_path: Path) -> None:
    network = RESTARTED.replace("LAST", "last")
    async with live(tmp_path, network, inn=MODULE) as inn:
        await inn.client.call("kitchen/dine", "soup", mode="async", request_id="r1")
        await begun(tmp_path, 1)
    async with live(tmp_path, network, inn=MODULE, without=frozenset({"kitchen"})) as inn:
        await inn.client.cancel("r1")
        response = await inn.client.result("r1")
        assert isinstance(response, WorkResponse)
        assert (response.status, response.partial) == (Status.CANCELLED, {"soup": "soup"})
