"""FAULTS 10: `kill -9` of the runner at each step of a task. Every accepted id has one outcome, and it is answered."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.networks import eventually
from tests.support.processes import answer_of, client, files_of, lines, servers_on, standing, up
from tests.support.terminal import Directory

NETWORK = """\
network: inn
ensembles:
  desk:
    uses: {cook: kitchen/cook}
    tasks:
      order: {share: true, steps: [{use: cook}, {template: "{{ context }} is served"}]}
  kitchen:
    capacity: {max_concurrent: 1}
    tasks:
      cook: {share: true, steps: [{python: "inn:cook"}]}
"""
MODULE = """\
import asyncio
import os
import signal
from pathlib import Path

here = Path(__file__).parent


def die(where):
    order = here / "die"
    if order.exists() and order.read_text() == where:
        order.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


async def cook(text: str) -> str:
    while (here / "hold").exists():
        await asyncio.sleep(0.01)
    die("before the effect")
    with (here / "effects").open("a") as stream:
        stream.write(text + "\\n")
    die("after the effect")
    return f"cooked {text}"
"""

IN_USERS_CODE = ("before the effect", "after the effect")
ON_THE_WIRE = (
    "accepting _client-",
    "recording _client-",
    "replying _client-",
    "acknowledging desk",
    "recording desk",
    "replying desk",
    "acknowledging kitchen",
)


@pytest.fixture
def inn(tmp_path: Path) -> Iterator[Directory]:
    directory = Directory(tmp_path)
    directory.write("network.yaml", NETWORK)
    directory.write("inn.py", MODULE)
    yield directory
    assert servers_on(files_of(directory)) == []


@pytest.mark.parametrize("point", IN_USERS_CODE + ON_THE_WIRE)
async def test_killed_at_any_step_each_accepted_task_has_one_outcome_and_is_answered(
    inn: Directory, point: str
) -> None:
    """The one who waits does nothing; what merely waited in the queue is worked once."""
    ids = ["soup", "fish", "cake"]
    if point in IN_USERS_CODE:
        inn.write("die", point)
    if point.startswith("accepting"):
        inn.write("hold", "")  # nothing is said of acceptance where the answer comes at once
    with up(inn, dies=None if point in IN_USERS_CODE else point) as process:
        async with client(inn) as network:
            await network.catalog()
            calls = [asyncio.ensure_future(network.call("desk/order", name, request_id=name)) for name in ids]
            await eventually(lambda: process.poll() is not None, "the end of the runner")
            assert process.returncode == -signal.SIGKILL
            (inn.path / "hold").unlink(missing_ok=True)
            with up(inn):
                async with asyncio.timeout(60):
                    answers = await asyncio.gather(*calls)
                assert [answer_of(answer) for answer in answers] == [f"{name} is served" for name in ids]
                assert await standing(network) == {"COMPLETED": 2 * len(ids)}, "the orders and what they delegated"
                assert [await network.result(name) for name in ids] == answers
                assert [await network.call("desk/order", "else", request_id=name) for name in ids] == answers
    effects = Counter(lines(inn, "effects"))
    assert set(effects) == set(ids)
    assert effects.total() <= len(ids) + 1, "only what was in hand is done again"
