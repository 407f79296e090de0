"""What a process can reach: its own work and credentials, and not past its runner's life."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from runner.host.process.main import die_with
from runner.work import Status
from tests.support.networks import LiveNetwork, eventually, live
from tests.support.processes import is_alive
from tests.support.terminal import Directory, read_until

NETWORK = """
network: vault
ensembles:
  thief:
    placement: process
    uses: {look: bank/look}
    tools:
      pid: {python: "thief:pid", share: true}
      keys: {python: "thief:keys", share: true}
      take: {python: "thief:take", share: true}
    tasks:
      honest: {share: true, steps: [{python: "thief:honest"}]}
      twist: {share: true, steps: [{python: "thief:twist"}]}
  bank:
    placement: process
    tools:
      look: {python: "thief:pid", share: true}
      stand: {python: "thief:stand", share: true}
    tasks:
      keep: {share: true, steps: [{template: "kept {{ context }}"}]}
"""
THIEF = """
import gc
import os
import pathlib
from datetime import UTC, datetime, timedelta


def pid(text: str = "") -> int:
    print("asked for its pid")
    return os.getpid()


def stand(text: str) -> str:
    import time

    pathlib.Path(__file__).with_name("begun").touch()
    time.sleep(3600)


def honest(text: str) -> str:
    return "honest work"


def keys(text: str) -> list:
    # Every seed of a key that lies about in this process.
    found = set()
    for one in gc.get_objects():
        for value in one.values() if isinstance(one, dict) else one if isinstance(one, (list, tuple)) else ():
            if isinstance(value, str) and value.startswith("SU"):
                found.add(value.strip())
    return sorted(found)


async def twist(what: str) -> str:
    # What could be done with a request that is in its hands.
    from runner.host.desk import StoreAway
    from runner.host.process.failures import Denied
    from runner.host.process.remote_desk import RemoteDesk
    from runner.work import DeliverySpec, Priority, Record, Status, WorkRequest, WorkResponse

    desk = next(one for one in gc.get_objects() if isinstance(one, RemoteDesk))
    record = Record(
        request_id="r2", task="twist", caller="_client-tester", provider="thief", priority=Priority.NORMAL,
        submitted_at=datetime.now(UTC), trace_id="0" * 32,
        response=WorkResponse(request_id="r2", status=Status.COMPLETED, result="twisted"),
    )
    request = next(one for one in gc.get_objects() if isinstance(one, WorkRequest) and one.request_id == "r2")
    away = request.model_copy(update={"task": "keep", "chain": ("thief/twist",)})
    try:
        match what:
            case "delivery":
                leak = DeliverySpec(method="queue", address="leak")
                await desk.record(record.model_copy(update={"delivery": leak}), 0)
            case "hand-off":
                await desk.record(record.model_copy(update={"provider": "bank", "moved": away, "response": None}), 0)
            case "publish":
                await desk.publish(away, "bank", sender="thief", publication=1)
    except (Denied, StoreAway) as problem:
        return f"denied: {type(problem).__name__}"
    return "taken"


async def take(what: str) -> str:
    from runner.catalog import Catalog
    from runner.host.process.failures import Denied
    from runner.host.process.remote_desk import RemoteDesk
    from runner.host.desk import StoreAway
    from runner.registration import Registration
    from runner.work import EnsembleState, Priority, Record, Status, WorkResponse

    desk = next(one for one in gc.get_objects() if isinstance(one, RemoteDesk))
    forged = WorkResponse(request_id="r1", status=Status.COMPLETED, result="forged")
    record = Record(
        request_id="r1", task="keep", caller="_client-tester", provider="thief", priority=Priority.NORMAL,
        submitted_at=datetime.now(UTC), trace_id="0" * 32, response=forged,
    )
    try:
        match what:
            case "record":
                await desk.record(record, 0)
            case "read":
                await desk.read("_client-tester", "r1")
            case "checkpoints":
                await desk.checkpoints("_client-tester", "r1")
            case "register":
                await desk.register(Registration(ensemble="bank", runner="us", state=EnsembleState.READY))
            case "answer":
                await desk.answer("vault.control._runners.stop", b"")
            case "waiting":
                await desk.waiting("bank")
            case "deliver":
                await desk.deliver(record)
    except (Denied, StoreAway) as problem:
        return f"denied: {type(problem).__name__}"
    return "taken"
"""


async def result(network: LiveNetwork, target: str, text: str = "x") -> object:
    response = await network.client.call(target, text, deadline=60)
    assert response.status is Status.COMPLETED, response
    return response.result


def surroundings_of(pid: int) -> tuple[bytes, list[str]]:
    """The environment and arguments of a process, and the files that it has open."""
    here = Path(f"/proc/{pid}")
    opened = [os.readlink(link) for link in (here / "fd").iterdir()]
    return (here / "environ").read_bytes() + (here / "cmdline").read_bytes(), opened


async def test_a_process_has_the_credentials_of_its_own_ensemble_and_no_others(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, thief=THIEF) as network:
        seeds = {path.stem: path.read_text().strip() for path in (tmp_path / ".run-network" / "keys").glob("*.nk")}
        assert {"runner", "operator", "system", "ensemble-thief", "ensemble-bank"} <= seeds.keys()
        found = await result(network, "thief/keys")
        assert isinstance(found, list)
        assert set(found) & set(seeds.values()) == {seeds["ensemble-thief"]}
        pid = await result(network, "thief/pid")
        assert isinstance(pid, int)
        given, opened = surroundings_of(pid)
        assert [name for name, seed in seeds.items() if seed.encode() in given] == []
        assert [path for path in opened if ".run-network" in path] == []


@pytest.mark.parametrize("what", ["record", "read", "checkpoints", "register", "answer", "waiting", "deliver"])
async def test_what_is_not_its_own_work_is_denied_to_a_process(
    tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with live(tmp_path, NETWORK, thief=THIEF) as network:
        assert (await network.client.call("bank/keep", "money", request_id="r1")).result == "kept money"
        assert str(await result(network, "thief/take", what)).startswith("denied")
        assert [r.message for r in caplog.records if "the process of thief asked" in r.message]
        assert await result(network, "thief/honest") == "honest work"
        response = await network.client.result("r1")
        assert response.result == "kept money"


@pytest.mark.parametrize("what", ["delivery", "hand-off", "publish"])
async def test_a_request_in_its_hands_goes_only_where_it_was_sent_and_where_the_wiring_leads(
    tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with live(tmp_path, NETWORK, thief=THIEF) as network:
        response = await network.client.call("thief/twist", what, request_id="r2", deadline=60)
        assert response.result == "denied: Denied"
        assert [r.message for r in caplog.records if "the process of thief asked" in r.message]


async def test_what_a_process_prints_is_in_the_runners_log_with_its_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "runner.ensemble")
    async with live(tmp_path, NETWORK, thief=THIEF) as network:
        await result(network, "thief/pid")

        def is_logged() -> bool:
            told = [(record.name, record.message) for record in caplog.records]
            return ("runner.ensemble.thief", "printed: asked for its pid") in told

        await eventually(is_logged, "the line")


def processes_of(pid: int) -> list[int]:
    """The ensembles' processes that a runner started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in children if b"host.process" in Path(f"/proc/{one}/cmdline").read_bytes()]


async def test_a_process_ends_with_its_runner_also_where_that_is_killed_and_its_code_never_ends(tmp_path: Path) -> None:
    directory = Directory(tmp_path)
    directory.write("network.yaml", NETWORK)
    directory.write("thief.py", THIEF)
    runner = directory.start("up", "--no-http", "--no-watch")
    try:
        read_until(runner, "ready in")
        here = processes_of(runner.pid)
        assert len(here) == 2
        asked = directory.start("call", "bank/stand", "x", "--deadline", "600s")
        await eventually((tmp_path / "begun").exists, "the code that never ends")
    finally:
        runner.kill()
        runner.communicate()
    await eventually(lambda: not any(map(is_alive, here)), "the end of the processes")
    asked.kill()
    asked.communicate()


async def test_ctrl_c_is_for_the_runner_which_stops_its_processes_in_order(tmp_path: Path) -> None:
    directory = Directory(tmp_path)
    directory.write("network.yaml", NETWORK)
    directory.write("thief.py", THIEF)
    runner = directory.start("up", "--no-http", "--no-watch")
    read_until(runner, "ready in")
    here = processes_of(runner.pid)
    groups = {os.getpgid(pid) for pid in here}
    assert os.getpgid(runner.pid) not in groups
    runner.send_signal(signal.SIGINT)
    output, talk = runner.communicate(timeout=30)
    assert (runner.returncode, "ended with" in output + talk) == (130, False)
    assert not any(map(is_alive, here))


def test_one_whose_runner_ended_before_it_began_ends_at_once() -> None:
    pid = os.fork()
    if pid == 0:
        die_with(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 70
