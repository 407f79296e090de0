"""FAULTS 10: `kill -9` at each step of a task: of the runner, or of the process that an ensemble has to itself.

Every accepted id has one outcome, and it is answered.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.client.network import NetworkClient
from runner.work import TaskAccepted, WorkResponse
from tests.support.networks import apart, eventually
from tests.support.processes import answer_of, client, files_of, lines, servers_on, standing, up
from tests.support.terminal import Directory

NETWORK = """\
network: inn
ensembles:
  desk:
    uses: {cook: kitchen/cook}
    tasks:
      order: {share: true, steps: [{use: cook}, {python: "inn:serve"}]}
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
was_killed = (here / "died").exists()


def die(where):
    order = here / "die"
    if order.exists() and order.read_text() == where:
        order.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def is_held() -> bool:
    # The slot is free while an outcome is recorded: without this, any number of dishes could be in hand at the kill.
    is_second = (here / "effects").exists() and not was_killed and not (here / "go on").exists()
    return is_second or (here / "hold").exists()


async def cook(text: str) -> str:
    while is_held():
        await asyncio.sleep(0.01)
    die("before the effect")
    with (here / "effects").open("a") as stream:
        stream.write(text + "\\n")
    die("after the effect")
    return f"cooked {text}"


async def serve(text: str) -> str:
    return f"{text} is served"
"""
ARMED = """\
if (here / "arm").exists():
    from tests.support.killpoint import arm_process

    arm_process((here / "arm").read_text(), here / "died")
"""

Answer = WorkResponse | TaskAccepted

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
BY_THE_RUNNER = ("recording _client-", "recording desk")
"""Of what it does for ensembles in processes; the rest they do themselves."""

BY_THE_PROCESS = (
    "accepting _client-",
    "asking to record _client-",
    "replying _client-",
    "asking to deliver _client-",
    "acknowledging desk",
    "asking to record desk",
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


IDS = ("soup", "fish", "cake")


async def ordered(network: NetworkClient) -> list[asyncio.Future[Answer]]:
    """Somebody waits for each dish."""
    await network.catalog()
    return [asyncio.ensure_future(network.call("desk/order", name, request_id=name)) for name in IDS]


async def is_answered(inn: Directory, network: NetworkClient, calls: list[asyncio.Future[Answer]]) -> None:
    """Whoever waits gets the one outcome; what merely waited in the queue is worked once."""
    async with asyncio.timeout(60):
        answers = await asyncio.gather(*calls)
    assert [answer_of(answer) for answer in answers] == [f"{name} is served" for name in IDS]
    assert await standing(network) == {"COMPLETED": 2 * len(IDS)}, "the orders and what they delegated"
    assert [await network.result(name) for name in IDS] == answers
    assert [await network.call("desk/order", "else", request_id=name) for name in IDS] == answers
    effects = Counter(lines(inn, "effects"))
    assert set(effects) == set(IDS)
    assert effects.total() <= len(IDS) + 1, "only what was in hand is done again"


@pytest.mark.parametrize(
    ("place", "point"),
    [
        *((str, point) for point in IN_USERS_CODE + ON_THE_WIRE),
        *((apart, point) for point in BY_THE_RUNNER),
    ],
    ids=lambda given: given if isinstance(given, str) else "process" if given is apart else "inline",
)
async def test_where_the_runner_is_killed_at_any_step_each_accepted_task_has_one_outcome_and_is_answered(
    inn: Directory, point: str, place: Callable[[str], str]
) -> None:
    """The one who waits does nothing; what merely waited in the queue is worked once."""
    inn.write("network.yaml", place(NETWORK))
    if point in IN_USERS_CODE:
        inn.write("die", point)
    if point.startswith("accepting"):
        inn.write("hold", "")  # nothing is said of acceptance where the answer comes at once
    with up(inn, dies=None if point in IN_USERS_CODE else point) as process:
        async with client(inn) as network:
            calls = await ordered(network)
            await eventually(lambda: process.poll() is not None, "the end of the runner")
            assert process.returncode == -signal.SIGKILL
            (inn.path / "died").touch()
            (inn.path / "hold").unlink(missing_ok=True)
            with up(inn):
                await is_answered(inn, network, calls)


@pytest.mark.parametrize("point", IN_USERS_CODE + BY_THE_PROCESS)
async def test_where_an_ensembles_process_is_killed_at_any_step_so_it_is_while_the_runner_goes_on(
    inn: Directory, point: str
) -> None:
    inn.write("network.yaml", apart(NETWORK))
    inn.write("inn.py", MODULE + ARMED)
    inn.write(*(("die", point) if point in IN_USERS_CODE else ("arm", point)))
    if point.startswith("accepting"):
        inn.write("hold", "")
    with up(inn) as process:
        async with client(inn) as network:
            calls = await ordered(network)
            await eventually(lambda: is_dead(inn, point), "the end of the process")
            (inn.path / "go on").touch()
            (inn.path / "hold").unlink(missing_ok=True)
            await is_answered(inn, network, calls)
            assert process.poll() is None


def is_dead(inn: Directory, point: str) -> bool:
    return not (inn.path / "die").exists() if point in IN_USERS_CODE else (inn.path / "died").exists()
