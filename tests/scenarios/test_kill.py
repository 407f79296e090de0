"""`kill -9` of run-network: nothing is left behind, nothing accepted is lost, and the next start just works."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.bus.server import server_binary
from runner.bus.server_config import ServerFiles
from runner.work import Status, WorkResponse
from tests.support.networks import PLACEMENTS, eventually
from tests.support.processes import (
    answer_of,
    client,
    files_of,
    is_alive,
    is_locked,
    kill,
    lines,
    server_pid,
    servers_on,
    standing,
    up,
)
from tests.support.terminal import Directory, ended

NETWORK = """\
network: inn
ensembles:
  kitchen:
    capacity: {max_concurrent: 1}
    tools:
      say: {python: "inn:say", share: true}
    tasks:
      cook: {share: true, steps: [{python: "inn:cook"}]}
"""
MODULE = """\
import asyncio
from pathlib import Path

import runner

here = Path(__file__).parent


async def say(text: str) -> str:
    return text


async def cook(text: str, context: runner.Context) -> str:
    with (here / "begun").open("a") as stream:
        stream.write(text + "\\n")
    while not (here / "release").exists():
        await asyncio.sleep(0.01)
    with (here / "effects").open("a") as stream:
        stream.write(text + "\\n")
    return f"cooked {text}"
"""


@pytest.fixture
def inn(tmp_path: Path) -> Iterator[Directory]:
    """A network to bring up. A server that a failing test left behind goes with it."""
    directory = Directory(tmp_path)
    directory.write("network.yaml", NETWORK)
    directory.write("inn.py", MODULE)
    yield directory
    for pid in servers_on(files_of(directory)):
        os.kill(pid, signal.SIGKILL)


async def test_nothing_is_left_behind_and_the_next_start_just_works(inn: Directory) -> None:
    for _ in range(3):
        with up(inn) as process:
            server = server_pid(inn)
            assert is_alive(server)
            assert is_locked(inn)
            async with client(inn) as network:
                response = await network.call("kitchen/say", "there?")
                assert isinstance(response, WorkResponse)
                assert response.result == "there?"
            kill(process)
            await eventually(lambda: not is_alive(server), "the end of nats-server")  # noqa: B023
            assert not is_locked(inn)
        assert inn.run("status").code == 4


async def test_killed_while_it_comes_up_it_leaves_nothing_behind_either(inn: Directory) -> None:
    """Before, while and after the server is started, wherever the machine happens to be."""
    with up(inn):
        pass
    files = files_of(inn)
    for stage in (files.config, files.pid, files.ports):
        before = stage.stat().st_mtime_ns
        process = inn.start("up")
        await eventually(lambda: stage.exists() and stage.stat().st_mtime_ns != before, stage.name)  # noqa: B023
        process.kill()
        ended(process)
        await eventually(lambda: not servers_on(files) and not is_locked(inn), "the end of all it started")
    with up(inn):
        async with client(inn) as network:
            assert [e.state for e in (await network.status()).ensembles] == ["READY"]


@PLACEMENTS
async def test_queued_and_running_tasks_are_worked_after_the_restart_once_each(
    inn: Directory, place: Callable[[str], str]
) -> None:
    inn.write("network.yaml", place(NETWORK))
    ids = [f"dish-{number}" for number in range(12)]
    with up(inn) as process:
        async with client(inn) as network:
            for request_id in ids:
                await network.call("kitchen/cook", request_id, mode="async", request_id=request_id)
            await eventually(lambda: lines(inn, "begun") == ids[:1], "a dish on the stove")
            assert await standing(network) == {"PENDING": 12}
        kill(process)
    assert lines(inn, "effects") == []
    with up(inn):
        async with client(inn) as network:
            assert await standing(network) == {"PENDING": 12}, "accepted = done + pending, before anything is done"
            (inn.path / "release").touch()
            outcomes = await asyncio.gather(*(network.result(request_id) for request_id in ids))
            assert [answer_of(outcome) for outcome in outcomes] == [f"cooked {request_id}" for request_id in ids]
            assert await standing(network) == {"COMPLETED": 12}
            repeated = [await network.call("kitchen/cook", "else", request_id=request_id) for request_id in ids]
            assert repeated == outcomes
    assert sorted(lines(inn, "effects")) == sorted(ids)
    assert Counter(lines(inn, "begun")) == {ids[0]: 2, **dict.fromkeys(ids[1:], 1)}, "only what ran began twice"


@PLACEMENTS
async def test_what_was_done_before_the_kill_stays_done(inn: Directory, place: Callable[[str], str]) -> None:
    """Killed among finishing tasks: wherever each of them was, it has one outcome in the end, and none is lost."""
    inn.write("network.yaml", place(NETWORK))
    (inn.path / "release").touch()
    ids = [f"dish-{number}" for number in range(60)]
    with up(inn) as process:
        async with client(inn) as network:
            for request_id in ids:
                await network.call("kitchen/cook", request_id, mode="async", request_id=request_id)
                if request_id == ids[40]:
                    first = answer_of(await network.result(ids[0]))
                    done = {one.request_id for one in await network.requests() if one.status == Status.COMPLETED}
            kill(process)
    with up(inn):
        async with client(inn) as network:
            outcomes = [await network.result(request_id) for request_id in ids]
            assert [answer_of(outcome) for outcome in outcomes] == [f"cooked {request_id}" for request_id in ids]
            assert answer_of(outcomes[0]) == first
            assert await standing(network) == {"COMPLETED": 60}
    effects = Counter(lines(inn, "effects"))
    assert set(effects) == set(ids)
    assert ids[0] in done
    again = {request_id for request_id, times in effects.items() if times > 1}
    assert not again & done, "only what was in hand, or being recorded, is done again"


@PLACEMENTS
async def test_a_call_that_waits_in_another_process_gets_its_answer_after_the_restart(
    inn: Directory, place: Callable[[str], str]
) -> None:
    """The port is kept and the client re-attaches: the one who waits does nothing about it."""
    inn.write("network.yaml", place(NETWORK))
    with up(inn) as process:
        url = announced(inn)
        calling = inn.start("call", "kitchen/cook", "soup", "--deadline", "2m")
        try:
            await eventually(lambda: lines(inn, "begun") == ["soup"], "a dish on the stove")
            kill(process)
            with up(inn):
                assert announced(inn) == url
                await eventually(lambda: lines(inn, "begun") == ["soup", "soup"], "the dish on the stove again")
                (inn.path / "release").touch()
                assert ended(calling)[:2] == (0, "cooked soup\n")
        finally:
            calling.kill()
            calling.wait()
    assert lines(inn, "effects") == ["soup"]


def announced(directory: Directory) -> str:
    return (directory.path / ".run-network" / "port").read_text()


async def test_a_server_that_a_dead_runner_left_is_stopped_by_the_next_start(inn: Directory) -> None:
    """Where the system has no parent-death signal, the server outlives a killed runner: here it is started by hand."""
    with up(inn):
        pass
    files = files_of(inn)
    with leftover(files) as old:
        await eventually(lambda: files.pid.exists() and server_pid(inn) == old.pid, "the leftover server")
        with up(inn):
            assert not is_alive(old.pid)
            assert server_pid(inn) != old.pid
            async with client(inn) as network:
                assert answer_of(await network.call("kitchen/say", "there?")) == "there?"


@contextmanager
def leftover(files: ServerFiles) -> Iterator[subprocess.Popen[bytes]]:
    """A server with the runner's configuration that nobody owns. A thread buries it, as init would."""
    process = subprocess.Popen(
        [str(server_binary()), "-c", str(files.config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    burying = threading.Thread(target=process.wait)
    burying.start()
    try:
        yield process
    finally:
        process.kill()
        burying.join()


async def test_a_process_that_has_the_dead_servers_id_by_now_is_left_alone(inn: Directory) -> None:
    with up(inn):
        pass
    files_of(inn).pid.write_text(str(os.getpid()))
    with up(inn):
        assert server_pid(inn) != os.getpid()
