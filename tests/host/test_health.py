"""Health checks of running ensembles: who is not well holds its tasks and refuses its tools, and comes back."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from runner.host import health as checking
from runner.host.ensemble import HostedEnsemble
from runner.host.health import Ailment, HealthCheck
from runner.host.probes import _fetched
from runner.host.runner import running
from runner.model import PythonTarget
from runner.probe import Health
from runner.work import Code, EnsembleState, Status
from tests.support.networks import LiveNetwork, eventually, live
from tests.support.saving import Saver

NETWORK = """\
network: inn
ensembles:
  kitchen:
    health: {PROBE, interval: 20ms, timeout: 1s, failures: 2}
    tools:
      count: {python: "inn:count", share: [food]}
      oven: {python: "inn:oven"}
    tasks: {cook: {share: [food], steps: [{template: Done.}]}}
  annex:
    tools: {tally: {python: "inn:count", share: [food, spare]}}
  desk:
    uses:
      count: {discover: count}
      tally: {tags: [food], prefer: [stock], fallback: annex/tally}
      cook: {discover: cook}
    tasks:
      ask: {share: true, steps: [{use: count}]}
      order: {share: true, steps: [{use: cook}]}
"""
INN = """
from pathlib import Path

import runner

COLD = Path(__file__).parent / "cold"

def count(text: str) -> str:
    return "3"

def oven(text: str = "") -> str:
    if COLD.exists():
        raise runner.Refused("the oven is cold")
    return "hot"

def is_hot() -> bool:
    return not COLD.exists()
"""


async def is_in(network: LiveNetwork, state: EnsembleState) -> bool:
    return {entry.status for entry in await network.client.catalog() if entry.provider == "kitchen"} == {state}


async def test_who_is_not_well_holds_its_tasks_refuses_its_tools_and_comes_back(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK.replace("PROBE", "tool: oven"), inn=INN) as network:
        client, cold = network.client, tmp_path / "cold"
        cold.touch()
        await eventually(lambda: is_in(network, EnsembleState.DEGRADED), "DEGRADED")
        kitchen = next(one for one in (await client.status()).ensembles if one.name == "kitchen")
        assert (kitchen.replicas, kitchen.detail) == (0, "the tool probe failed: the oven is cold")

        refused = await client.call("kitchen/count", "soup")
        assert refused.error is not None
        assert (refused.status, refused.error.code) == (Status.REJECTED, Code.CAPABILITY_DEGRADED)
        assert "the oven is cold" in refused.error.message
        asked = await client.call("desk/ask", "soup")
        assert asked.error is not None
        assert asked.error.code == Code.CAPABILITY_DEGRADED

        held = [asyncio.create_task(client.call(target, "soup")) for target in ("kitchen/cook", "desk/order", "cook")]

        async def are_held() -> bool:
            report = next(one for one in (await client.status()).ensembles if one.name == "kitchen")
            return report.held == 3

        await eventually(are_held, "all three held")
        cold.unlink()
        assert [answer.result for answer in await asyncio.gather(*held)] == ["Done."] * 3
        assert (await client.call("kitchen/count", "soup")).result == "3"
        assert await is_in(network, EnsembleState.READY)
        told = [one for one in network.happenings if getattr(one, "ensemble", None) == "kitchen"]
        states = [one.state for one in told if hasattr(one, "state")]
        assert states == [EnsembleState.STARTING, EnsembleState.READY, EnsembleState.DEGRADED, EnsembleState.READY]


async def test_a_function_that_answers_false_says_that_it_is_not_well(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK.replace("PROBE", 'python: "inn:is_hot"'), inn=INN) as network:
        (tmp_path / "cold").touch()
        await eventually(lambda: is_in(network, EnsembleState.DEGRADED), "DEGRADED")
        details = {entry.detail for entry in await network.client.catalog() if entry.provider == "kitchen"}
        assert details == {"`is_hot` says False"}


async def test_an_address_is_well_while_it_answers(tmp_path: Path) -> None:
    answers = [b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answers[0])
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/healthy"
        async with live(tmp_path, NETWORK.replace("PROBE", f'http: "{address}"'), inn=INN) as network:
            assert (await network.client.call("kitchen/count", "soup")).result == "3"
            answers[0] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
            await eventually(lambda: is_in(network, EnsembleState.DEGRADED), "DEGRADED")
            details = {entry.detail for entry in await network.client.catalog() if entry.provider == "kitchen"}
            assert details == {"503 Service Unavailable"}
            answers[0] = b"HTTP/1.1 204 No Content\r\n\r\n"
            await eventually(lambda: is_in(network, EnsembleState.READY), "READY again")


@asynccontextmanager
async def guarded(asked: list[str], *, to: str | None = None) -> AsyncIterator[str]:
    """The address of a server that is well for `probe` with the password `p@ss/word`; with `to` it sends on to there,
    what follows on it. `asked` gets who was said to ask."""
    credentials = base64.b64encode(b"probe:p@ss/word").decode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        said = next((line.partition(": ")[2] for line in head.splitlines() if line.startswith("Authorization")), "")
        asked.append(said)
        status = "302 Found" if to is not None and "/begin" in head else "401 Unauthorized"
        if said == f"Basic {credentials}" and status != "302 Found":
            status = "200 OK"
        sent_on = f"location: {to}\r\n" if to is not None else ""
        writer.write(f"HTTP/1.1 {status}\r\n{sent_on}content-length: 0\r\n\r\n".encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


def probed(address: str) -> str | None:
    return _fetched(f"http://{address}", 10.0)


async def test_a_user_in_an_address_is_told_to_its_server_and_to_nobody_else() -> None:
    ours: list[str] = []
    theirs: list[str] = []
    async with guarded(theirs) as other, guarded(ours, to="/end") as same, guarded([], to=f"http://{other}/") as away:
        assert await asyncio.to_thread(probed, f"probe:p%40ss%2Fword@{same}/begin") is None
        assert await asyncio.to_thread(probed, f"probe:p%40ss%2Fword@{away}/begin") == "401 Unauthorized"
        assert await asyncio.to_thread(probed, f"probe@{same}/end") == "401 Unauthorized"
    assert (len(ours), theirs) == (3, [""])
    assert ours[2] == f"Basic {base64.b64encode(b'probe:').decode()}"


@pytest.mark.parametrize(
    "address",
    [
        "http://probe:canary@127.0.0.1:1/",
        "http://probe:canary@127.0.0.1:port/",
        "http://probe:can@ry@127.0.0.1:1/x?y=canary@z",
        "http://probe:canary",
        "ftp://probe:canary@127.0.0.1/",
        "probe:canary@127.0.0.1",
        "http://canary canary@127.0.0.1:1/",
    ],
)
async def test_what_is_told_of_an_address_that_does_not_answer_has_no_user_in_it(address: str) -> None:
    told = await asyncio.to_thread(_fetched, address, 10.0)
    assert told is not None
    assert "can" not in told.replace("cannot", "")


async def test_no_report_and_no_event_has_the_password_of_a_probe(tmp_path: Path) -> None:
    network = NETWORK.replace("PROBE", 'http: "http://probe:canary@127.0.0.1:1/well"')
    async with live(tmp_path, network, watch=True, inn=INN) as inn:
        client = inn.client
        await eventually(lambda: is_in(inn, EnsembleState.DEGRADED), "DEGRADED")
        refused = await client.call("kitchen/count", "soup")
        saver = Saver(inn)
        block = await saver.does(("network.yaml", network.replace("canary", "a-canary")))
        assert block == "~ kitchen  health.http changed (live)"
        shown = [await client.status(), await client.catalog(), await client.why("desk", "count"), refused]
        shown += [event async for event in client.events()]
        assert "no answer" in repr(shown)
        assert "canary" not in repr(shown)


async def test_a_replica_that_is_not_well_leaves_the_work_to_the_others(tmp_path: Path) -> None:
    """Each runner has its own module: the first to be probed is the one that falls ill."""
    module = (
        INN
        + """
FIRST = []

def is_mine_well() -> bool:
    FIRST or FIRST.append(_place())
    return not (COLD.exists() and FIRST == [1])

def _place() -> int:
    taken = Path(__file__).parent / "taken"
    with taken.open("a") as out:
        out.write("x")
    return len(taken.read_text())
"""
    )
    network_yaml = NETWORK.replace("PROBE", 'python: "inn:is_mine_well"')
    async with live(tmp_path, network_yaml, inn=module) as network:
        await eventually((tmp_path / "taken").exists, "the first probe")
        async with running(network.network, network.workspace, join=True) as joined:
            await eventually(lambda: (tmp_path / "taken").read_text() == "xx", "the second probe")
            (tmp_path / "cold").touch()
            first = network.runner._hosted["kitchen"]
            assert isinstance(first, HostedEnsemble)
            await eventually(lambda: first.vitals.state is EnsembleState.DEGRADED, "the first is ill")
            await eventually(lambda: joined._ground.desk.replicas("kitchen") == 1, "it is known")
            report = next(one for one in (await network.client.status()).ensembles if one.name == "kitchen")
            assert (report.state, report.replicas) == (EnsembleState.READY, 1)
            first_crew = first._serving
            assert first_crew is not None
            await eventually(lambda: not first_crew._service._handles, "its tools are withdrawn")
            answers = [await network.client.call("kitchen/count", "soup") for _ in range(20)]
            answers += [await network.client.call("kitchen/cook", "soup") for _ in range(5)]
            assert {answer.status for answer in answers} == {Status.COMPLETED}
            (tmp_path / "cold").unlink()
            await eventually(lambda: joined._ground.desk.replicas("kitchen") == 2, "both are well")
            assert set(first_crew._service._handles) == {"count"}


async def test_an_ensemble_in_a_process_of_its_own_is_checked_there(tmp_path: Path) -> None:
    network_yaml = NETWORK.replace("health: {PROBE", 'placement: process\n    health: {python: "inn:is_hot"')
    async with live(tmp_path, network_yaml, inn=INN) as network:
        (tmp_path / "cold").touch()
        await eventually(lambda: is_in(network, EnsembleState.DEGRADED), "DEGRADED")
        refused = await network.client.call("kitchen/count", "soup")
        assert refused.error is not None
        assert refused.error.code == Code.CAPABILITY_DEGRADED
        (tmp_path / "cold").unlink()
        await eventually(lambda: is_in(network, EnsembleState.READY), "READY again")
        assert (await network.client.call("kitchen/count", "soup")).result == "3"


QUICK = Health(
    python=PythonTarget("inn", "is_hot"), interval=timedelta(milliseconds=1), timeout=timedelta(seconds=5), failures=2
)


def checked_by(probe: Callable[[Health], Awaitable[str | None]]) -> tuple[Ailment, HealthCheck]:
    async def nobody_to_tell() -> None: ...

    ailment = Ailment()
    return ailment, HealthCheck(ailment, probe, nobody_to_tell)


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (asyncio.CancelledError(), "the python probe was cancelled"),
        (Unspeakable(), "the python probe failed: Unspeakable"),
        (TimeoutError("busy"), "the python probe failed: busy"),
        (RuntimeError("x" * 9000), f"the python probe failed: {'x' * 9000}"[:300] + "…"),
    ],
)
async def test_whatever_a_probe_raises_is_what_it_found_and_it_is_tried_again(raised: BaseException, told: str) -> None:
    answers: list[BaseException | None] = [raised]

    async def probe(_: Health) -> str | None:
        if answers[0] is not None:
            raise answers[0]
        return None

    ailment, check = checked_by(probe)
    check.follow(QUICK)
    await eventually(lambda: ailment.problem is not None, "it is ill")
    assert ailment.problem == told
    answers[0] = None
    await eventually(lambda: ailment.problem is None, "it is well again")
    await check.close()


async def test_a_probe_that_will_not_end_is_begun_once_and_holds_nobody_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "CLOSE_SECONDS", 0.01)
    released, begun = asyncio.Event(), [0]

    async def probe(_: Health) -> str | None:
        begun[0] += 1
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue
        return None

    ailment, check = checked_by(probe)
    check.follow(Health(python=QUICK.python, interval=QUICK.interval, timeout=timedelta(milliseconds=1), failures=3))
    await eventually(lambda: ailment.problem is not None, "it is ill")
    assert ailment.problem == "the python probe gave no answer within 1ms"
    assert begun == [1]
    async with asyncio.timeout(10):
        await check.close()
    released.set()


async def test_a_plain_probe_that_hangs_takes_one_thread_and_none_from_the_work(tmp_path: Path) -> None:
    module = (
        INN
        + """
import threading

ENOUGH = Path(__file__).parent / "enough"

def hangs() -> None:
    with (Path(__file__).parent / "begun").open("a") as out:
        out.write("x")
    while not ENOUGH.exists():
        threading.Event().wait(0.01)
"""
    )
    probe = 'python: "inn:hangs"'
    text = NETWORK.replace("PROBE", probe).replace("timeout: 1s, failures: 2", "timeout: 10ms, failures: 5")
    async with live(tmp_path, text, inn=module) as network:
        await eventually(lambda: is_in(network, EnsembleState.DEGRADED), "DEGRADED")
        assert (tmp_path / "begun").read_text() == "x"
        (tmp_path / "enough").touch()
        await eventually(lambda: is_in(network, EnsembleState.READY), "READY again")


async def test_one_that_the_network_has_no_more_is_not_found_again_for_being_well(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK.replace("PROBE", "tool: oven"), inn=INN) as network:
        kitchen = network.runner._hosted["kitchen"]
        assert isinstance(kitchen, HostedEnsemble)
        (tmp_path / "cold").touch()
        await eventually(lambda: is_in(network, EnsembleState.DEGRADED), "DEGRADED")
        await kitchen.retire(still_asked=True)
        (tmp_path / "cold").unlink()
        await eventually(lambda: kitchen._health._told is None, "it is well, and all is told")
        assert {one.provider for one in network.runner._ground.registry.catalog.capabilities} == {"annex", "desk"}
