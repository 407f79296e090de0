"""What is saved while an ensemble runs in a process of its own: in place where that can be, else by another process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runner.host.process import outlooks
from runner.work import Status
from tests.support.networks import eventually, live
from tests.support.saving import Saver

NETWORK = """\
network: inn
ensembles:
  kitchen:
    placement: process
    capacity: {max_concurrent: 4}
    tools:
      say: {python: "inn:say", share: true}
      pid: {python: "inn:pid", share: true}
    tasks:
      cook: {share: true, steps: [{python: "inn:cook"}]}
"""
DESK = """\
  desk:
    tools: {pid: {python: "inn:pid", share: true}}
"""
NETWORK += DESK
INN = """\
import os
import pathlib
import time
import words


def say() -> str:
    return words.SAID


def pid() -> int:
    return os.getpid()


def cook(gate: str) -> str:
    said = words.SAID
    pathlib.Path(gate, "begun").touch()
    while not pathlib.Path(gate, "go").exists():
        time.sleep(0.01)
    return said
"""
WORDS = "SAID = 'one'\n"


@asynccontextmanager
async def inn(directory: Path, network: str = NETWORK) -> AsyncIterator[Saver]:
    async with live(directory, network, watch=True, inn=INN, words=WORDS) as there:
        yield Saver(there)


async def answer(saver: Saver, target: str) -> object:
    response = await saver.network.client.call(target, {}, deadline=60)
    assert response.status is Status.COMPLETED, response
    return response.result


async def test_a_change_that_needs_no_other_code_is_made_in_the_process_that_runs(tmp_path: Path) -> None:
    async with inn(tmp_path) as saver:
        before = await answer(saver, "kitchen/pid")
        block = await saver.does(("network.yaml", NETWORK.replace("4", "8")))
        assert block == "~ kitchen  capacity.max_concurrent 4 → 8 (live)"
        assert await answer(saver, "kitchen/pid") == before
        more = NETWORK.replace('say: {python: "inn:say", share: true}', 'tell: {python: "inn:say", share: true}')
        await saver.does(("network.yaml", more))
        assert await answer(saver, "kitchen/tell") == "one"
        assert await answer(saver, "kitchen/pid") == before


async def test_other_code_is_another_process_and_work_ends_with_the_code_that_it_began_with(tmp_path: Path) -> None:
    async with inn(tmp_path) as saver:
        before, desk = await answer(saver, "kitchen/pid"), await answer(saver, "desk/pid")
        cooking = asyncio.create_task(saver.network.client.call("kitchen/cook", str(tmp_path), deadline=60))
        await eventually((tmp_path / "begun").exists)
        try:
            assert await saver.does(("words.py", "SAID = 'two'\n")) == (
                "~ desk     words.py edited (rolling)\n~ kitchen  words.py edited (rolling)"
            )
            after = await answer(saver, "kitchen/pid")
            assert (after != before, await answer(saver, "kitchen/say")) == (True, "two")
            status = await saver.network.client.status()
            assert {one.name: one.in_flight for one in status.ensembles} == {"kitchen": 1, "desk": 0}
        finally:
            (tmp_path / "go").touch()
        assert (await cooking).result == "one"
        await eventually(lambda: not Path(f"/proc/{before}").exists(), "the end of the old process")
        assert await answer(saver, "desk/pid") == desk


async def test_code_that_ends_its_process_while_it_is_loaded_is_refused_and_the_old_goes_on(tmp_path: Path) -> None:
    async with inn(tmp_path) as saver:
        before = await answer(saver, "kitchen/pid")
        await saver.does(("network.yaml", NETWORK.replace(DESK, "")))
        refused = await saver.breaks(("words.py", "import os\nos._exit(3)\n"))
        assert "kitchen did not come up: its process ended with exit code 3" in refused.problem.message
        assert refused.problem.hint == "what it said before is in .run-network/runner.log"
        assert (await answer(saver, "kitchen/pid"), await answer(saver, "kitchen/say")) == (before, "one")


@pytest.mark.parametrize("placement", ["process", "inline"])
@pytest.mark.parametrize("raised", ["RuntimeError('db gone')", "SystemExit(3)"])
async def test_the_traceback_of_code_for_which_a_save_is_refused_is_in_the_log_where_the_hint_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, placement: str, raised: str
) -> None:
    only = NETWORK.replace(DESK, "").replace("placement: process", f"placement: {placement}")
    async with inn(tmp_path, only) as saver:
        refused = await saver.breaks(("words.py", f"def fails():\n    raise {raised}\n\n\nfails()\n"))
        assert refused.problem.hint == "the traceback is in .run-network/runner.log"
        assert "the code of kitchen cannot be used: words.py:2: " in caplog.text
        assert "Traceback (most recent call last)" in caplog.text
        assert 'words.py", line 2, in fails' in caplog.text


async def test_what_is_missing_in_the_code_has_no_traceback_and_the_hint_names_none(tmp_path: Path) -> None:
    async with inn(tmp_path) as saver:
        refused = await saver.breaks(("inn.py", INN + "\n\nglobals().pop('pid')\n"))
        assert "inn.py: `pid` does not exist" in refused.problem.message
        assert "traceback" not in str(refused.problem.hint)


async def test_an_ensemble_goes_from_one_placement_to_the_other_without_losing_a_call(tmp_path: Path) -> None:
    async with inn(tmp_path) as saver:
        failed: list[object] = []
        over = asyncio.Event()

        async def calling() -> None:
            while not over.is_set():
                response = await saver.network.client.call("kitchen/say", {}, deadline=60)
                if response.result != "one":
                    failed.append(response)

        callers = [asyncio.create_task(calling()) for _ in range(3)]
        for placement in ("inline", "process", "inline"):
            await saver.does(("network.yaml", NETWORK.replace("placement: process", f"placement: {placement}")))
            assert (await answer(saver, "kitchen/pid") == os.getpid()) == (placement == "inline")
        over.set()
        await asyncio.gather(*callers)
        assert failed == []


async def test_one_that_is_new_and_one_that_is_removed_begin_and_end_with_their_process(tmp_path: Path) -> None:
    spa = '  spa: {placement: process, tools: {pid: {python: "inn:pid", share: true}}}\n'
    async with inn(tmp_path) as saver:
        assert await saver.does(("network.yaml", NETWORK + spa)) == "+ spa"
        pid = await answer(saver, "spa/pid")
        assert pid not in (os.getpid(), await answer(saver, "kitchen/pid"))
        await saver.does(("network.yaml", NETWORK))
        await eventually(lambda: not Path(f"/proc/{pid}").exists(), "the end of its process")


@pytest.mark.parametrize("slow", [False, True], ids=["", "told late of everything"])
async def test_a_word_that_becomes_a_tag_of_its_own_is_found_by_the_process_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: bool
) -> None:
    if slow:
        monkeypatch.setattr(outlooks, "SOON_SECONDS", 3600.0)
    text = """\
network: inn
tags: {stock: {description: counts, aliases: [goods]}}
ensembles:
  kitchen:
    placement: process
    uses: {look: {tags: [goods]}}
    tools: {pid: {python: "inn:pid", share: true}}
    tasks: {ask: {share: true, steps: [{use: look, input: {}}]}}
  desk:
    tools: {say: {python: "inn:say", share: [goods]}}
"""
    async with inn(tmp_path, text) as saver:
        assert await answer(saver, "kitchen/ask") == "one"
        before = await answer(saver, "kitchen/pid")
        await saver.does(("network.yaml", text.replace(", aliases: [goods]}", "}, goods: things")))
        assert await answer(saver, "kitchen/ask") == "one"
        assert await answer(saver, "kitchen/pid") == before
