"""`kill -9` between the steps of a task: whoever has it next goes on where it was."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.client.connect import connect
from runner.work import Status, WorkResponse
from tests.support.networks import PLACEMENTS, apart, eventually
from tests.support.terminal import Directory, read_until

NETWORK = """\
network: inn
ensembles:
  kitchen:
    uses: {wash: scullery/wash}
    tasks:
      dine:
        share: true
        steps:
          - {id: soup, python: "inn:cook", input: soup}
          - {id: plates, use: wash, input: plates}
          - id: fish
            for_each: {items: [trout, carp, eel], max_concurrent: 1}
            python: "inn:cook"
            input: "{{ item }}"
          - {id: sweet, python: "inn:cook", input: sweet}
        output: "{{ steps.soup }}, {{ steps.plates }}, {{ steps.fish | join(' ') }}, {{ steps.sweet }}"
  scullery:
    tasks:
      wash: {share: true, steps: [{python: "inn:cook"}]}
"""
MODULE = """\
import asyncio
from pathlib import Path

here = Path(__file__).parent


async def cook(dish: str) -> str:
    with (here / "begun").open("a") as stream:
        stream.write(dish + "\\n")
    while dish in (here / "held").read_text().split():
        await asyncio.sleep(0.01)
    with (here / "effects").open("a") as stream:
        stream.write(dish + "\\n")
    return dish.upper()
"""


@contextmanager
def up(inn: Directory) -> Iterator[subprocess.Popen[str]]:
    process = inn.start("up", "--no-http", "--no-watch")
    reading = threading.Thread(target=process.communicate)
    try:
        read_until(process, "ready in")
        reading.start()
        yield process
    finally:
        if process.poll() is None:
            inn.write("held", "")
            process.terminate()
        reading.join(30) if reading.ident else process.communicate()
        assert process.poll() is not None, "run-network does not stop"


EACH = ("soup", "plates", "trout", "carp", "eel", "sweet")
ORDER = ("soup", "plates", "carp", "sweet")


@PLACEMENTS
async def test_killed_in_one_step_after_the_other_each_step_takes_effect_once(
    tmp_path: Path, place: Callable[[str], str]
) -> None:
    """The one at which it is killed begins again; a delegation is joined, an item of a fan-out begins by itself."""
    inn = Directory(tmp_path)
    inn.write("network.yaml", place(NETWORK))
    inn.write("inn.py", MODULE)
    inn.write("held", "soup plates trout carp eel sweet")
    begun, effects = tmp_path / "begun", tmp_path / "effects"
    begun.touch()
    for number, dish in enumerate(ORDER):
        with up(inn) as process:
            async with connect(tmp_path / "network.yaml", name="tester") as network:
                if number == 0:
                    await network.call("kitchen/dine", mode="async", request_id="r1")
                inn.write("held", held_from(dish))
                await eventually(lambda: dish in begun.read_text().split(), f"the begin of {dish}")  # noqa: B023
                before = begun.read_text().split()
                process.kill()
                process.wait()
    inn.write("held", "")
    with up(inn):
        async with connect(tmp_path / "network.yaml", name="tester") as network:
            response = await network.result("r1")
            assert isinstance(response, WorkResponse)
            assert (response.status, response.result) == (Status.COMPLETED, "SOUP, PLATES, TROUT CARP EEL, SWEET")
    assert begun.read_text().split() == [*before, "sweet"]
    assert Counter(effects.read_text().split()) == dict.fromkeys(EACH, 1)


def held_from(dish: str) -> str:
    """The dishes that are not let through, from this one on."""
    held = ("soup", "plates", "carp", "eel", "sweet")
    return " ".join(held[held.index(dish) :])


async def test_where_only_its_process_is_killed_in_one_step_after_the_other_each_step_takes_effect_once(
    tmp_path: Path,
) -> None:
    """And where that of the ensemble is, to which it delegated."""
    inn = Directory(tmp_path)
    inn.write("network.yaml", apart(NETWORK).replace("network: inn", "network: inn\ndefaults: {max_attempts: 9}"))
    inn.write("inn.py", MODULE)
    inn.write("held", "soup plates trout carp eel sweet")
    begun = tmp_path / "begun"
    begun.touch()
    with up(inn):
        async with connect(tmp_path / "network.yaml", name="tester") as network:
            await network.call("kitchen/dine", mode="async", request_id="r1")
            for dish in ORDER:
                inn.write("held", held_from(dish))
                await eventually(lambda: dish in begun.read_text().split(), f"the begin of {dish}")  # noqa: B023
                before = begun.read_text().split()
                name = "scullery" if dish == "plates" else "kitchen"
                [pid] = [pid for one in (await network.status()).ensembles if one.name == name for pid in one.pids]
                os.kill(pid, signal.SIGKILL)
                await eventually(lambda: begun.read_text().split() == [*before, dish], f"{dish} again")  # noqa: B023
            inn.write("held", "")
            response = await network.result("r1")
            assert isinstance(response, WorkResponse)
            assert (response.status, response.result) == (Status.COMPLETED, "SOUP, PLATES, TROUT CARP EEL, SWEET")
    assert Counter((tmp_path / "effects").read_text().split()) == dict.fromkeys(EACH, 1)
    assert Counter(begun.read_text().split()) == {dish: 2 if dish in ORDER else 1 for dish in EACH}
