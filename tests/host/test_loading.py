"""Code that takes long to load is told of by name, and given up in the end, wherever it is loaded."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from runner.errors import StartFailed
from runner.functions.threads import OneThread
from runner.host.ballot import BOUND_SECONDS
from runner.host.happenings import EnsembleMoved, Worked
from runner.host.loading import LOAD_SECONDS, Begin, LoadsTooLong, loaded
from runner.host.process.room import UP_SECONDS
from runner.work import EnsembleState
from tests.support.networks import eventually, live
from tests.support.saving import Saver

NETWORK = """\
network: inn
ensembles:
  desk:
    tools: {ring: {python: "desk:ring", share: true}}
  kitchen:
    placement: inline
    tools: {fry: {python: "inn:fry", share: true}}
"""
DESK = """\
def ring() -> str:
    return "ring"
"""
INN = """\
import words


def fry() -> str:
    return words.SAID
"""
HANGS = """\
import pathlib
import time

SAID = "two"
while not pathlib.Path("GATE").exists():
    time.sleep(0.01)
"""
TOO_LONG = "is not loaded after 2 s: it is in words.py:"


@contextmanager
def hanging(directory: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """A module that does not come to its end, and what lets go of it."""
    gate = directory / "gate"
    try:
        yield HANGS.replace("GATE", str(gate)), gate.touch
    finally:
        gate.touch()


@asynccontextmanager
async def inn(directory: Path, network: str = NETWORK) -> AsyncIterator[Saver]:
    async with live(directory, network, watch=True, inn=INN, words="SAID = 'one'\n", desk=DESK) as there:
        yield Saver(there)


def told(saver: Saver) -> list[tuple[str, str]]:
    events = [happening.event for happening in saver.network.happenings if isinstance(happening, Worked)]
    return [(event.ensemble, str(event.message)) for event in events if event.kind == "loading"]


def test_one_limit_holds_everywhere_and_whoever_waits_for_it_waits_longer() -> None:
    assert min(BOUND_SECONDS, UP_SECONDS) > LOAD_SECONDS


@pytest.mark.parametrize("placement", ["inline", "process"])
async def test_a_saved_module_that_takes_long_is_told_of_by_name_and_applied_in_the_end(
    tmp_path: Path, placement: str, caplog: pytest.LogCaptureFixture
) -> None:
    network = NETWORK.replace("placement: inline", f"placement: {placement}")
    with hanging(tmp_path) as (text, let_go):
        async with inn(tmp_path, network) as saver:
            known = len(saver.applied)
            saver.write("words.py", text)
            line = "still loading kitchen (words.py:"
            await eventually(lambda: any(line in message for _, message in told(saver)), "it is told")
            assert ("kitchen", True) in [(name, message.endswith(" after 2 s")) for name, message in told(saver)]
            assert line in caplog.text
            assert (await saver.network.client.call("kitchen/fry", {}, deadline=60)).result == "one"
            let_go()
            await eventually(lambda: len(saver.applied) > known, "it is applied")
            assert (await saver.network.client.call("kitchen/fry", {}, deadline=60)).result == "two"


async def test_a_saved_module_that_does_not_end_is_refused_with_the_ensemble_and_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hanging(tmp_path) as (text, _):
        async with inn(tmp_path) as saver:
            monkeypatch.setattr("runner.host.loading.SLOW_SECONDS", 0.1)
            monkeypatch.setattr("runner.host.loading.LOAD_SECONDS", 2.0)
            refused = await saver.breaks(("words.py", text))
            assert refused.problem.message.startswith("the code of kitchen is not loaded after 2 s: it is in words.py:")
            assert refused.problem.hint == (
                "what a module does while it is imported has to end: what takes long belongs into a function"
            )
            assert (await saver.network.client.call("kitchen/fry", {}, deadline=60)).result == "one"


async def test_a_first_start_is_given_up_likewise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.host.loading.SLOW_SECONDS", 0.1)
    monkeypatch.setattr("runner.host.loading.LOAD_SECONDS", 2.0)
    with hanging(tmp_path) as (text, _), pytest.raises(StartFailed) as failed:
        async with live(tmp_path, NETWORK, inn=INN, words=text, desk=DESK):
            raise AssertionError("it came up")
    assert failed.value.message.startswith(f"kitchen did not come up: the code of kitchen {TOO_LONG}")


async def test_a_first_start_that_takes_long_is_told_of_and_holds_up_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The loop goes on meanwhile: what is told of it is heard before it ends."""
    monkeypatch.setattr("runner.host.loading.SLOW_SECONDS", 0.0)
    monkeypatch.setattr("runner.host.loading.LOOK_SECONDS", 0.01)
    with hanging(tmp_path) as (text, let_go):

        async def open_when_told() -> None:
            await eventually(lambda: "still loading kitchen (" in caplog.text, "it is told")
            let_go()

        opening = asyncio.ensure_future(open_when_told())
        async with live(tmp_path, NETWORK, inn=INN, words=text, desk=DESK) as network:
            moved = [one for one in network.happenings if isinstance(one, EnsembleMoved)]
            assert {one.ensemble for one in moved if one.state is EnsembleState.READY} == {"desk", "kitchen"}
        await opening


async def test_each_ensemble_has_the_time_to_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.host.loading.SLOW_SECONDS", 0.05)
    monkeypatch.setattr("runner.host.loading.LOOK_SECONDS", 0.01)
    lines: list[tuple[str, str]] = []
    gates = {name: threading.Event() for name in ("desk", "kitchen")}

    def load(begin: Begin) -> str:
        for name, gate in gates.items():
            begin(name)
            assert gate.wait(60)
        return "all"

    def tell(ensemble: str, kind: str, message: str) -> None:
        lines.append((ensemble, kind))
        gates[ensemble].set()

    assert await loaded(load, tell, tmp_path, OneThread("load")) == "all"
    assert lines == [("desk", "loading"), ("kitchen", "loading")]


async def test_code_that_hangs_in_somebody_elses_library_is_given_up_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.host.loading.LOAD_SECONDS", 0.0)
    monkeypatch.setattr("runner.host.loading.SLOW_SECONDS", 0.0)
    gate = threading.Event()

    def load(begin: Begin) -> None:
        begin("kitchen")
        gate.wait(60)

    try:
        with pytest.raises(LoadsTooLong, match="the code of kitchen is not loaded after 0 s: it is in code of others"):
            await loaded(load, lambda *_: None, tmp_path, OneThread("load"))
    finally:
        gate.set()
