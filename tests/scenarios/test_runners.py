"""Several runners of one network on one directory: they share its work, and whoever is left goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.client.connect import connect
from runner.client.network import NetworkClient
from runner.reports import RunnerReport, StatusReport
from runner.state import State
from runner.work import WorkResponse
from tests.support.networks import eventually
from tests.support.servers import plain_server
from tests.support.terminal import Directory, children, lives, read_until

NETWORK = """\
network: inn
ensembles:
  kitchen:
    capacity: {max_concurrent: 1}
    uses: {fetch: cellar/fetch}
    tools:
      say: {python: "inn:say", share: true}
    tasks:
      cook: {share: true, steps: [{python: "inn:cook"}]}
      serve: {share: true, steps: [{use: fetch}]}
  cellar:
    tasks:
      fetch: {share: true, steps: [{python: "inn:fetch"}]}
"""
MODULE = """\
import asyncio
import os
from pathlib import Path

here = Path(__file__).parent


def say(text: str) -> str:
    return str(os.getpid())


def fetch(text: str) -> str:
    return f"{text} from {os.getpid()}"


async def cook(text: str) -> str:
    with (here / "begun").open("a") as stream:
        stream.write(f"{text} {os.getpid()}\\n")
    while not (here / "release").exists():
        await asyncio.sleep(0.01)
    with (here / "effects").open("a") as stream:
        stream.write(f"{text}\\n")
    return f"cooked {text}"
"""


class Fleet:
    """The runners of one directory; whatever happens to them, none outlives the test."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self.processes: list[subprocess.Popen[str]] = []
        self._readers: list[threading.Thread] = []

    def up(self, *options: str) -> subprocess.Popen[str]:
        """One more runner, ready. What it prints goes on being read, so that it never waits for its reader."""
        process = self.directory.start("up", "--no-http", "--no-watch", *options)
        self.processes.append(process)
        read_until(process, "ready in")
        reader = threading.Thread(target=process.communicate)
        reader.start()
        self._readers.append(reader)
        return process

    def kill(self, process: subprocess.Popen[str]) -> None:
        process.kill()
        process.wait()

    def end(self) -> None:
        (self.directory.path / "release").touch()
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
        for reader in self._readers:
            reader.join(30)

    def lines(self, name: str) -> list[str]:
        path = self.directory.path / name
        return path.read_text().splitlines() if path.exists() else []

    @property
    def file(self) -> Path:
        return self.directory.path / "network.yaml"


@contextmanager
def fleet_in(path: Path) -> Iterator[Fleet]:
    directory = Directory(path)
    directory.write("network.yaml", NETWORK)
    directory.write("inn.py", MODULE)
    fleet = Fleet(directory)
    try:
        yield fleet
    finally:
        fleet.end()


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with fleet_in(tmp_path) as found:
        yield found


async def runners(network: NetworkClient) -> dict[int, RunnerReport]:
    return {runner.pid: runner for runner in (await network.status()).runners}


def replicas(report: StatusReport) -> dict[str, int]:
    return {ensemble.name: ensemble.replicas for ensemble in report.ensembles}


async def two_there(network: NetworkClient) -> bool:
    return len(await runners(network)) == 2


async def test_whoever_answers_knows_every_runner_from_the_first_question_on(fleet: Fleet) -> None:
    pids = {fleet.up().pid, fleet.up("--join").pid}
    async with connect(fleet.file, name="tester") as network:
        answers = await asyncio.gather(*(network.status() for _ in range(12)))
    assert [{runner.pid for runner in answer.runners} for answer in answers] == [pids] * 12


async def test_two_runners_share_the_queue_of_an_ensemble_and_status_adds_them_up(fleet: Fleet) -> None:
    pids = [fleet.up().pid, fleet.up("--join").pid]
    async with connect(fleet.file, name="tester") as network:
        await eventually(lambda: two_there(network), "both in status")
        for number in range(3):
            await network.call("kitchen/cook", f"dish-{number}", mode="async", request_id=f"dish-{number}")
        await eventually(lambda: len(fleet.lines("begun")) == 2, "a dish on each stove")
        assert {int(line.split()[1]) for line in fleet.lines("begun")} == set(pids)

        async def adds_up() -> bool:
            kitchen = next(e for e in (await network.status()).ensembles if e.name == "kitchen")
            return (kitchen.replicas, kitchen.in_flight, kitchen.queued.normal) == (2, 2, 1)

        await eventually(adds_up, "two in flight, one queued")
        leading = [runner.pid for runner in (await runners(network)).values() if runner.leads]
        assert leading == pids[:1]
        (fleet.directory.path / "release").touch()
        for number in range(3):
            response = await network.result(f"dish-{number}")
            assert isinstance(response, WorkResponse)
            assert response.result == f"cooked dish-{number}"
    assert fleet.directory.run("down").code == 0
    assert [process.wait() for process in fleet.processes] == [0, 0]


async def test_when_the_owner_of_the_server_is_killed_another_takes_it_over_and_who_waits_gets_the_answer(
    fleet: Fleet,
) -> None:
    owner, joined = fleet.up(), fleet.up("--join")
    async with connect(fleet.file, name="tester") as network:
        await eventually(lambda: two_there(network), "both in status")
        epoch = (await network.status()).leader_epoch
        waiting = [
            asyncio.ensure_future(network.call("kitchen/cook", f"dish-{number}", deadline="2m")) for number in range(3)
        ]
        await eventually(lambda: len(fleet.lines("begun")) == 2, "a dish on each stove")
        fleet.kill(owner)
        await eventually(lambda: len(children(joined.pid)) == 1, "a nats-server of the other's")
        (fleet.directory.path / "release").touch()
        outcomes = [await outcome for outcome in waiting]
        assert [outcome.result for outcome in outcomes if isinstance(outcome, WorkResponse)] == [
            f"cooked dish-{number}" for number in range(3)
        ]
        await eventually(lambda: leads(network, joined.pid), "the other to lead")
        assert (await network.status()).leader_epoch == epoch + 1
    async with connect(fleet.file, name="newcomer") as network:
        assert set(await runners(network)) == {joined.pid}
        said = await network.call("kitchen/say")
        assert isinstance(said, WorkResponse)
        assert said.result == str(joined.pid)
    assert fleet.directory.run("down").code == 0
    assert joined.wait() == 0
    assert fleet.directory.run("status").code == 4


async def leads(network: NetworkClient, pid: int) -> bool:
    found = (await runners(network)).get(pid)
    return found is not None and found.leads


async def test_when_the_owner_stops_in_order_another_takes_over_and_exactly_one_does(fleet: Fleet) -> None:
    owner = fleet.up()
    joined = [fleet.up("--join"), fleet.up("--join")]
    async with connect(fleet.file, name="tester") as network:
        await network.call("kitchen/cook", "soup", mode="async", request_id="soup")
        await eventually(lambda: len(fleet.lines("begun")) == 1, "a dish on a stove")
        (fleet.directory.path / "release").touch()
        owner.send_signal(signal.SIGTERM)
        assert owner.wait() == 0
        await eventually(lambda: sum(len(children(one.pid)) for one in joined) == 1, "one nats-server")
        response = await network.result("soup")
        assert isinstance(response, WorkResponse)
        assert response.result == "cooked soup"
        await eventually(lambda: are(network, {one.pid for one in joined}), "the two that stayed")
    async with connect(fleet.file, name="newcomer") as network:
        assert isinstance(await network.call("kitchen/say"), WorkResponse)
    servers = [pid for one in joined for pid in children(one.pid)]
    assert len(servers) == 1
    assert fleet.directory.run("down").code == 0
    assert [one.wait() for one in joined] == [0, 0]
    assert not lives(servers[0])


async def are(network: NetworkClient, pids: set[int]) -> bool:
    return set(await runners(network)) == pids


async def test_a_stopped_process_is_out_of_routing_until_it_goes_on(fleet: Fleet) -> None:
    stays, stopped = fleet.up("--except", "cellar"), fleet.up("--join")
    async with connect(fleet.file, name="tester") as network:
        await eventually(lambda: two_there(network), "both in status")
        assert replicas(await network.status()) == {"kitchen": 2, "cellar": 1}
        os.kill(stopped.pid, signal.SIGSTOP)

        async def is_out() -> bool:
            report = await network.status()
            offered = {entry.provider for entry in await network.catalog() if entry.status == "READY"}
            return replicas(report) == {"kitchen": 1, "cellar": 0} and offered == {"kitchen"}

        await eventually(is_out, "the stopped one to be out")
        assert set(await runners(network)) == {stays.pid}

        async def is_cut() -> bool:
            said = [await network.call("kitchen/say", deadline=2) for _ in range(8)]
            return {one.result for one in said if isinstance(one, WorkResponse)} == {str(stays.pid)}

        await eventually(is_cut, "every call to come to the other")
        os.kill(stopped.pid, signal.SIGCONT)

        async def is_back() -> bool:
            return replicas(await network.status()) == {"kitchen": 2, "cellar": 1}

        await eventually(is_back, "the stopped one to be back")
        assert (await runners(network)).keys() == {stays.pid, stopped.pid}


async def test_runners_with_a_part_each_form_one_network(fleet: Fleet) -> None:
    fleet.up("--only", "kitchen")
    cellar = fleet.up("--join", "--only", "cellar")
    async with connect(fleet.file, name="tester") as network:
        served = await network.call("kitchen/serve", "wine")
        assert isinstance(served, WorkResponse)
        assert served.result == f"wine from {cellar.pid}"
        assert replicas(await network.status()) == {"kitchen": 1, "cellar": 1}


def test_joining_a_directory_that_nobody_holds_is_owning_it(fleet: Fleet) -> None:
    only = fleet.up("--join")
    assert len(children(only.pid)) == 1
    refused = fleet.directory.run("up")
    assert refused.code == 1
    assert "`run-network up --join`" in refused.err
    assert fleet.directory.run("down").code == 0


def test_another_network_cannot_join(fleet: Fleet) -> None:
    fleet.up()
    fleet.directory.write("other.yaml", NETWORK.replace("network: inn", "network: ark"))
    refused = fleet.directory.run("up", "--join", "-f", "other.yaml")
    assert refused.code == 1
    assert "`inn`, not `ark`" in refused.err


async def test_runners_on_a_server_elsewhere_need_no_join_and_whoever_stays_tells_where_it_is(
    fleet: Fleet, tmp_path: Path
) -> None:
    async with plain_server(tmp_path / "elsewhere") as url:
        kitchen, cellar = (fleet.up("--nats", url, "--only", name) for name in ("kitchen", "cellar"))
        async with connect(fleet.file, name="tester") as network:
            await eventually(lambda: are(network, {kitchen.pid, cellar.pid}), "both in status")
            served = await network.call("kitchen/serve", "wine")
            assert isinstance(served, WorkResponse)
            assert served.result == f"wine from {cellar.pid}"
        cellar.send_signal(signal.SIGTERM)
        assert cellar.wait() == 0
        await eventually(lambda: announced(fleet) == kitchen.pid, "the other's word of where the network is")
        async with connect(fleet.file, name="tester") as network:
            assert set(await runners(network)) == {kitchen.pid}
        fleet.kill(kitchen)
        again = fleet.up("--nats", url)
        async with connect(fleet.file, name="tester") as network:
            assert set(await runners(network)) == {again.pid}, "the dead are forgotten at the next start"


def announced(fleet: Fleet) -> int | None:
    running = State(fleet.directory.path / ".run-network").running()
    return running.pid if running else None


def test_a_detached_runner_joins_and_down_ends_all(fleet: Fleet) -> None:
    assert fleet.directory.run("up", "--detach").code == 0
    joined = fleet.directory.run("up", "--join", "--detach", "--only", "cellar", "--json")
    assert joined.code == 0
    shown = fleet.directory.run("status", "--json").json["runners"]
    assert joined.json["pid"] in {runner["pid"] for runner in shown}
    down = fleet.directory.run("down")
    assert (down.code, down.err) == (0, "stopped\n")
    assert not any(lives(runner["pid"]) for runner in shown)
    assert fleet.directory.run("status").code == 4
