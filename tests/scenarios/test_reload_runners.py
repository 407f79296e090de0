"""Several runners and a change: all of them go, or none; whoever is killed on the way leaves it to the others."""

from __future__ import annotations

import asyncio
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from runner.client.network import NetworkClient
from tests.support.networks import eventually
from tests.support.processes import client, kill, up
from tests.support.terminal import Directory

NETWORK = """\
network: inn
ensembles:
  kitchen:
    description: "%s"
    tools: {say: {python: "inn:say", share: true}}
    tasks: {tell: {share: true, steps: [{python: "inn:say"}]}}
"""
MODULE = """\
import os
import time
from pathlib import Path

here = Path(__file__).parent
(here / f"loads-{os.getpid()}-%s").touch()
while (here / f"slow-{os.getpid()}").exists():
    time.sleep(0.01)
if (here / f"refuses-{os.getpid()}").exists():
    raise RuntimeError("not in here")


def say() -> str:
    return "%s"
"""


@pytest.fixture
def inn(tmp_path: Path) -> Directory:
    directory = Directory(tmp_path)
    save(directory, "one")
    return directory


def save(directory: Directory, word: str) -> None:
    """Each file by renaming: nobody reads half of it."""
    for name, text in (("inn.py", MODULE), ("network.yaml", NETWORK)):
        directory.write("draft", text.replace("%s", word))
        (directory.path / "draft").rename(directory.path / name)


async def says(network: NetworkClient, word: str) -> None:
    """All runners do: calls go to each in turn."""

    async def all_do() -> bool:
        targets = ("kitchen/say", "kitchen/tell") * 4
        return {(await network.call(target, {}, deadline=60)).result for target in targets} == {word}

    await eventually(all_do, f"the answer {word!r}")


async def generations(network: NetworkClient) -> dict[int, int | None]:
    return {runner.pid: runner.generation for runner in (await network.status()).runners}


async def stand_at(network: NetworkClient, generation: int, *processes: subprocess.Popen[str]) -> None:
    async def all_do() -> bool:
        return await generations(network) == {process.pid: generation for process in processes}

    await eventually(all_do, f"generation {generation} on each of {len(processes)}")


async def are(network: NetworkClient, count: int) -> None:
    async def there() -> bool:
        return len(await generations(network)) == count

    await eventually(there, f"{count} runners")


@pytest.mark.parametrize("point", ["putting proposal", "asking _", "putting current", "putting gen.2"])
async def test_whoever_takes_over_from_an_owner_that_is_killed_in_a_change_applies_it_and_the_next(
    inn: Directory, point: str
) -> None:
    """Before it proposes, before it asks, with all of them warm, and between the write that counts and the history."""
    with up(inn):
        """The first generation is written."""
    with up(inn, dies=point, watch=True) as owner, up(inn, "--join", watch=True) as joined:
        async with client(inn) as network:
            await are(network, 2)
            save(inn, "two")
            await eventually(lambda: owner.poll() is not None, "the owner's death")
            await says(network, "two")
            await stand_at(network, 2, joined)
            save(inn, "six")
            await says(network, "six")
            await stand_at(network, 3, joined)
            assert [generation.generation for generation in await network.history()] == [1, 2, 3]


async def test_what_is_saved_while_nobody_owns_the_server_is_applied_by_whoever_does_next(inn: Directory) -> None:
    with up(inn, watch=True) as owner, up(inn, "--join", watch=True) as joined:
        async with client(inn) as network:
            await are(network, 2)
            kill(owner)
            save(inn, "two")
            await says(network, "two")
            await stand_at(network, 2, joined)


async def test_one_that_is_killed_while_it_makes_ready_is_not_waited_for(inn: Directory) -> None:
    with up(inn, watch=True) as owner, up(inn, "--join", dies="ready _") as joined:
        async with client(inn) as network:
            await are(network, 2)
            save(inn, "two")
            await eventually(lambda: joined.poll() is not None, "its death")
            await says(network, "two")
            await stand_at(network, 2, owner)


async def test_one_that_cannot_import_the_new_code_keeps_all_of_them_where_they_are_and_is_named(
    inn: Directory,
) -> None:
    with up(inn, watch=True) as owner, up(inn, "--join") as joined:
        async with client(inn) as network:
            await are(network, 2)
            inn.write(f"refuses-{joined.pid}", "")
            save(inn, "two")

            async def is_refused() -> bool:
                return not (await network.status()).last_reload.ok

            await eventually(is_refused, "the refusal")
            told = [(await network.status()).last_reload for _ in range(12)]  # by whoever answers
            assert all(f"(pid {joined.pid} on " in last.diagnostics[0] for last in told)
            assert all("inn.py:10: RuntimeError: not in here" in last.diagnostics[0] for last in told)
            await says(network, "one")
            await stand_at(network, 1, owner, joined)
            (inn.path / f"refuses-{joined.pid}").unlink()
            save(inn, "six")
            await says(network, "six")
            await stand_at(network, 2, owner, joined)
            assert (await network.status()).last_reload.ok


async def test_one_that_joins_in_the_middle_of_a_change_goes_along(inn: Directory) -> None:
    with ExitStack() as stack:
        owner = stack.enter_context(up(inn, watch=True))
        async with client(inn) as network:
            inn.write(f"slow-{owner.pid}", "")
            save(inn, "two")
            joined = stack.enter_context(up(inn, "--join"))
            (inn.path / f"slow-{owner.pid}").unlink()
            await says(network, "two")
            await stand_at(network, 2, owner, joined)


async def test_one_that_stops_in_order_while_others_change_is_not_waited_for(inn: Directory) -> None:
    with up(inn, watch=True) as owner, up(inn, "--join") as joined:
        async with client(inn) as network:
            await are(network, 2)
            inn.write(f"slow-{joined.pid}", "")
            save(inn, "two")
            joined.terminate()
            await says(network, "two")
            (inn.path / f"slow-{joined.pid}").unlink()
            await stand_at(network, 2, owner)
            assert (await network.status()).last_reload.ok


@pytest.mark.parametrize("how", ["a signal", "down"])
async def test_whoever_is_stopped_in_the_middle_of_a_change_stops_in_order_and_gives_it_up(
    inn: Directory, how: str
) -> None:
    """While others, or it itself, import a module that takes its time."""
    with up(inn, watch=True) as owner, up(inn, "--join", "--no-watch") as joined:
        async with client(inn) as network:
            await are(network, 2)
            inn.write(f"slow-{joined.pid}", "")
            save(inn, "two")
            await eventually(lambda: (inn.path / f"loads-{joined.pid}-two").exists(), "the other makes ready")
            await says(network, "one")
            if how == "down":
                assert (await asyncio.to_thread(inn.run, "down")).code == 0
                assert [owner.wait(), joined.wait()] == [0, 0]
            else:
                joined.terminate()
                assert await asyncio.to_thread(joined.wait) == 0
                await says(network, "two")
                inn.write(f"slow-{owner.pid}", "")
                save(inn, "six")
                await eventually(lambda: (inn.path / f"loads-{owner.pid}-six").exists(), "it makes ready")
                owner.terminate()
                assert await asyncio.to_thread(owner.wait) == 0
    with up(inn):
        async with client(inn) as network:
            await says(network, "two" if how == "down" else "six")
