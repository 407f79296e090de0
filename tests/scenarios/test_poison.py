"""FAULTS 13: a task that kills whoever works on it: after so many starts it is a dead letter, and the rest flows on."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.client.connect import connect
from runner.client.network import NetworkClient
from runner.work import WorkResponse
from tests.support.networks import apart, eventually
from tests.support.terminal import PATIENCE, Directory, read_until

MAX_ATTEMPTS = 2
NETWORK = f"""\
network: inn
defaults: {{max_attempts: {MAX_ATTEMPTS}}}
ensembles:
  kitchen:
    capacity: {{max_concurrent: 1}}
    tasks:
      cook: {{share: true, steps: [{{python: "inn:cook"}}]}}
"""
MODULE = """\
import os
from pathlib import Path

here = Path(__file__).parent


async def cook(text: str) -> str:
    with (here / "begun").open("a") as stream:
        stream.write(text + "\\n")
    if text == "poison" and not (here / "mended").exists():
        os._exit(9)
    return f"cooked {text}"
"""


@pytest.fixture
def inn(tmp_path: Path) -> Directory:
    directory = Directory(tmp_path)
    directory.write("network.yaml", NETWORK)
    directory.write("inn.py", MODULE)
    return directory


@contextmanager
def up(inn: Directory) -> Iterator[subprocess.Popen[str]]:
    """`run-network up`, ready or dead already; gone when the block ends."""
    process = inn.start("up", "--no-http", "--no-watch")
    reading = threading.Thread(target=process.communicate)
    try:
        reading.start()
        yield process
    finally:
        process.terminate()
        reading.join(PATIENCE)
        assert process.poll() is not None, "run-network does not stop"


def begun(inn: Directory, text: str) -> int:
    path = inn.path / "begun"
    return path.read_text().splitlines().count(text) if path.exists() else 0


async def test_a_task_that_kills_its_runner_at_once_is_dead_after_so_many_starts_and_others_are_served(
    inn: Directory,
) -> None:
    """The embedded server dies with its runner and forgets how often it gave the task out: the records remember.

    Dead within the first 20 ms, the very first start may leave no record: one more is then made.
    """
    process = inn.start("up", "--no-http", "--no-watch")
    try:
        read_until(process, "ready in")
        async with connect(inn.path / "network.yaml", name="tester") as network:
            await network.call("kitchen/cook", "poison", mode="async", request_id="bad", deadline="10m")
        assert process.wait(PATIENCE) == 9
    finally:
        process.kill()
        process.communicate()
    for _ in range(MAX_ATTEMPTS + 1):
        with up(inn) as process:
            if not await lasts(inn, process):
                continue
            async with connect(inn.path / "network.yaml", name="tester") as network:
                await answered(inn, network)
                return
    raise AssertionError(f"started {begun(inn, 'poison')} times, and still not dead")


async def test_a_task_that_kills_its_ensembles_process_is_dead_after_so_many_starts_and_the_runner_lives(
    inn: Directory,
) -> None:
    inn.write("network.yaml", apart(NETWORK))
    with up(inn) as process:
        await eventually(lambda: inn.run("status").code == 0, "the network")
        async with connect(inn.path / "network.yaml", name="tester") as network:
            await network.call("kitchen/cook", "poison", mode="async", request_id="bad", deadline="10m")
            await answered(inn, network)
        assert process.poll() is None


async def lasts(inn: Directory, process: subprocess.Popen[str]) -> bool:
    """Whether the runner lives to answer that the task is dead."""
    await eventually(lambda: process.poll() is not None or is_dead(inn), "an end of the task, or of the runner")
    return process.poll() is None


def is_dead(inn: Directory) -> bool:
    ran = inn.run("requests", "--state", "dead", "--json")
    return ran.code == 0 and len(ran.json) == 1


async def answered(inn: Directory, network: NetworkClient) -> None:
    outcome = await network.result("bad")
    assert MAX_ATTEMPTS <= begun(inn, "poison") <= MAX_ATTEMPTS + 1
    assert isinstance(outcome, WorkResponse)
    assert outcome.error is not None
    assert outcome.error.code == "DEAD_LETTER"
    soup = await network.call("kitchen/cook", "soup", deadline=30)
    assert isinstance(soup, WorkResponse)
    assert soup.result == "cooked soup"
    same = [inn.run("call", "kitchen/cook", "stew", "--dedupe", "content", "--json") for _ in range(2)]
    assert [one.json["result"] for one in same] == ["cooked stew", "cooked stew"]
    assert len({one.json["requestId"] for one in same}) == 2
    assert begun(inn, "stew") == 1
    [listed] = inn.run("requests", "--state", "dead", "--json").json
    assert (listed["requestId"], listed["status"], listed["state"]) == ("bad", "FAILED", "DEAD")
    assert listed["attempts"] == len(listed["history"]) == MAX_ATTEMPTS
    (inn.path / "mended").touch()
    retried = inn.run("retry", "bad", "--json")
    assert (retried.code, retried.json["status"], retried.json["state"]) == (0, "PENDING", "QUEUED")
    mended = inn.run("result", "bad")
    assert (mended.code, mended.out) == (0, "cooked poison\n")
    again = inn.run("retry", "bad", "--json")
    assert (again.code, again.json["error"]["code"]) == (1, "NOT_DEAD")
    assert inn.run("retry", "--all").err == "there are no dead letters\n"
