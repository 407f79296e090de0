"""Processes in the moment of a save: killed at each of its steps, or each other's callers."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from runner.host.process import room
from runner.host.process.child import Child
from runner.host.process.line import Call, Line
from runner.host.process.sources import Giving
from runner.work import Status
from tests.support.networks import LiveNetwork, eventually, live
from tests.support.saving import Saver

KILLED = """\
network: inn
ensembles:
  kitchen:
    placement: process
    description: version {version}
    tools:
      say: {{python: "inn:say", share: true}}
    tasks:
      cook: {{share: true, steps: [{{id: code, python: "inn:say"}}, {{template: "{{{{ steps.code }}}} {version}"}}]}}
  desk:
    description: version {version}
    uses: {{cook: kitchen/cook}}
    tasks:
      order:
        share: true
        steps: [{{id: dish, use: cook, input: {{}}}}, {{template: "{version} {{{{ steps.dish }}}}"}}]
"""
INN = """\
import words


def say() -> int:
    return words.SAID
"""
EACH_OTHER = """\
network: inn
ensembles:
  left:
    placement: process
    uses: {other: right/say}
    tools: {say: {python: "left:say", share: true}}
    tasks: {ask: {share: true, steps: [{id: own, python: "left:say"}, {id: other, use: other, input: {}},
                                       {template: "{{ steps.own }} {{ steps.other }}"}]}}
  right:
    placement: process
    uses: {other: left/say}
    tools: {say: {python: "right:say", share: true}}
    tasks: {ask: {share: true, steps: [{id: own, python: "right:say"}, {id: other, use: other, input: {}},
                                       {template: "{{ steps.own }} {{ steps.other }}"}]}}
"""
STAY = """\
import asyncio
from pathlib import Path


async def stay() -> None:
    Path("{path}").with_name("there").touch()
    while not Path("{path}").exists():
        await asyncio.sleep(0.05)
"""
CODE = "import words\n\n\ndef say() -> int:\n    return words.SAID\n"


def words(version: int) -> str:
    return f"SAID = {version}\n"


@dataclass
class Killer:
    """Kills the process that is next asked, or told, this over its line, at that moment."""

    armed: str | None = None
    pids: dict[Line, int] = field(default_factory=dict)

    def heard(self, line: Line, what: str) -> None:
        if what == self.armed:
            self.armed = None
            os.kill(self.pids[line], signal.SIGKILL)


@pytest.fixture
def killer(monkeypatch: pytest.MonkeyPatch) -> Killer:
    killer, spawn, ask, tell = Killer(), room.spawned, Line.ask_bytes, Line.tell

    async def spawned(name: str, line: Line, sources: Giving) -> Child:
        child = await spawn(name, line, sources)
        killer.pids[line] = child.pid
        return child

    async def asked(self: Line, call: Call[Any], *arguments: object, **more: Any) -> Any:
        killer.heard(self, call.name)
        return await ask(self, call, *arguments, **more)

    def told(self: Line, call: Call[None], *arguments: object, **more: Any) -> None:
        killer.heard(self, call.name)
        tell(self, call, *arguments, **more)

    monkeypatch.setattr(room, "spawned", spawned)
    monkeypatch.setattr(Line, "ask_bytes", asked)
    monkeypatch.setattr(Line, "tell", told)
    return killer


@asynccontextmanager
async def calling(network: LiveNetwork, *targets: str) -> AsyncIterator[list[str]]:
    """Tasks one after the other, of each target; what they came to, in order of their ends."""
    results: list[str] = []
    over = asyncio.Event()

    async def call(target: str) -> None:
        while not over.is_set():
            response = await network.client.call(target, {}, deadline=60)
            assert response.status is Status.COMPLETED, response
            results.append(str(response.result))

    calls = [asyncio.create_task(call(target)) for target in targets]
    try:
        yield results
    finally:
        over.set()
        await asyncio.gather(*calls)


IN_PLACE = ("extend", "pause", "switch", "settled", "contract")
OTHER_CODE = ("serve", "leave", "admit", "offer", "settled", "contract")


@pytest.mark.parametrize(
    ("moment", "is_code"), [*((moment, False) for moment in IN_PLACE), *((moment, True) for moment in OTHER_CODE)]
)
async def test_a_process_that_is_killed_at_a_step_of_a_save_refuses_no_change_and_loses_no_task(
    tmp_path: Path, killer: Killer, moment: str, is_code: bool
) -> None:
    async with live(tmp_path, KILLED.format(version=0), watch=True, inn=INN, words=words(0)) as network:
        saver = Saver(network)
        async with calling(network, "desk/order", "desk/order", "kitchen/cook"):
            killer.armed = moment
            files = [("network.yaml", KILLED.format(version=1))]
            await saver.does(*files, *([("words.py", words(1))] if is_code else []))
            for _ in range(2):
                response = await network.client.call("desk/order", {}, deadline=60)
                assert response.result == f"1 {int(is_code)} 1", response
                await eventually(lambda: killer.armed is None, "that it is killed")


async def test_two_that_use_each_other_are_edited_in_one_save_and_neither_meets_the_other_as_it_was(
    tmp_path: Path,
) -> None:
    async with live(tmp_path, EACH_OTHER, watch=True, left=CODE, right=CODE, words=words(0)) as network:
        saver = Saver(network)
        async with calling(network, "left/ask", "right/ask") as results:
            for version in range(1, 5):
                await saver.does(("words.py", words(version)))
                for target in ("left/ask", "right/ask"):
                    response = await network.client.call(target, {}, deadline=60)
                    assert response.result == f"{version} {version}", response
        mixed = [result for result in results if int(result.split()[0]) > int(result.split()[1])]
        assert mixed == []


async def test_one_that_is_coming_up_again_as_its_code_is_replaced_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killer: Killer
) -> None:
    """It would serve by the code before, for as long as something that began before is in hand anywhere."""
    spawn, held, given_up, late = room.spawned, asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def spawned_late(name: str, line: Line, sources: Giving) -> Child:
        monkeypatch.setattr(room, "spawned", spawn)
        held.set()
        try:
            await late.wait()
        except asyncio.CancelledError:
            given_up.set()
            raise
        return await spawn(name, line, sources)

    guest = '  guest: {tasks: {stay: {share: true, steps: [{python: "guest:stay"}]}}}\n'
    text, stay = KILLED.format(version=0) + guest, STAY.format(path=tmp_path / "go")
    async with live(tmp_path, text, watch=True, inn=INN, words=words(0), guest=stay) as network:
        saver, (pid,) = Saver(network), killer.pids.values()
        staying = asyncio.create_task(network.client.call("guest/stay", {}, deadline=60))
        await eventually((tmp_path / "there").exists, "that something is in hand")
        monkeypatch.setattr(room, "spawned", spawned_late)
        os.kill(pid, signal.SIGKILL)
        await held.wait()
        await saver.does(("words.py", words(1)))
        await eventually(given_up.is_set, "that the one before is given up")
        late.set()
        response = await network.client.call("desk/order", {}, deadline=60)
        assert response.result == "0 1 0", response
        (tmp_path / "go").touch()
        assert (await staying).status is Status.COMPLETED
