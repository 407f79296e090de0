"""FAULTS 12: the storage limit is reached, or the disk is full. Nothing new is accepted, until there is room again."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest
from nats import connect as nats_connect
from nats.js.errors import ServerError, ServiceUnavailableError

from runner.bus.keys import key_in
from runner.client.network import NetworkClient
from runner.errors import NotRunning
from runner.state import State
from runner.work import Code, Status, WorkResponse
from tests.support.networks import LiveNetwork, eventually, live
from tests.support.processes import client, files_of, servers_on
from tests.support.terminal import Directory, read_until, surroundings

NETWORK = """\
network: inn
ensembles:
  kitchen:
    tools: {say: {python: "inn:say", share: true}}
    tasks:
      cook: {share: true, steps: [{python: "inn:cook"}]}
      taste: {share: true, steps: [{python: "inn:say"}]}
"""
MODULE = """\
import asyncio
from pathlib import Path

here = Path(__file__).parent


async def say(text: str) -> str:
    return text[:10]


async def cook(text: str) -> str:
    (here / "begun").touch()
    while not (here / "release").exists():
        await asyncio.sleep(0.01)
    (here / "cooked").touch()
    return f"cooked {text[:10]}"
"""
LARGE = "x" * 200_000
MOUNT = 'mount -t tmpfs -o size=48m tmpfs "$0" && exec "$@"'
"""In a name space of its own, so that nobody else sees it and it goes with the process."""


async def call(network: NetworkClient, target: str, context: str, **terms: object) -> WorkResponse:
    response = await network.call(target, context, **terms)
    assert isinstance(response, WorkResponse)
    return response


@asynccontextmanager
async def nothing_left_to_store(inn: LiveNetwork) -> AsyncIterator[None]:
    """Somebody else's stream takes all that the server may store, and leaves with the block."""
    running = State(inn.workspace.state).running()
    assert running is not None
    seed = key_in(State(inn.workspace.state).keys / "runner.nk").seed
    hoarder = await nats_connect(list(running.url), nkeys_seed_str=seed)
    jetstream = hoarder.jetstream()
    await jetstream.add_stream(name="hoard", subjects=["hoard"])
    for size in (500_000, 50_000, 1):
        with suppress(ServerError, ServiceUnavailableError):
            while True:
                await jetstream.publish("hoard", b"x" * size)
    try:
        yield
    finally:
        await jetstream.delete_stream("hoard")
        await hoarder.close()


async def test_at_the_storage_limit_nothing_new_is_accepted_and_what_was_is_worked_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was refused is known to nobody; what was accepted keeps its outcome until it can be recorded."""
    monkeypatch.setattr("runner.bus.server_config.GIBIBYTE", 2**20)  # of which the store may take 16
    for reserved in ("streams.EVENT_BYTES", "streams.PAYLOAD_BYTES", "deliveries.STREAM_BYTES"):
        monkeypatch.setattr(f"runner.bus.{reserved}", 2**20)
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        soup = asyncio.ensure_future(call(inn.client, "kitchen/cook", "soup", request_id="soup"))
        await eventually((tmp_path / "begun").exists, "a dish on the stove")
        async with nothing_left_to_store(inn):
            refused = await call(inn.client, "kitchen/taste", "fish", request_id="fish")
            assert refused.error is not None
            assert (refused.status, refused.error.code) == (Status.REJECTED, Code.QUEUE_FULL)
            assert refused.error.message == "the server may store no more: the queue of kitchen takes nothing"
            assert (await call(inn.client, "kitchen/say", "there?")).result == "there?"
            (tmp_path / "release").touch()
            await eventually((tmp_path / "cooked").exists, "the end of the work")
            assert not soup.done()
            assert [report.request_id for report in await inn.client.requests()] == ["soup"]
        assert (await soup).result == "cooked soup"
        assert (await call(inn.client, "kitchen/taste", "fish", request_id="fish")).result == "fish"


@contextmanager
def on_a_small_disk(directory: Directory) -> Iterator[Path]:
    """`run-network up` with its store on a disk of its own: where that is seen from outside."""
    store = files_of(directory).store
    store.mkdir(parents=True)
    process = subprocess.Popen(
        ["unshare", "-rm", "sh", "-c", MOUNT, str(store), sys.executable, "-m", "runner", "up", "--no-http"],
        cwd=directory.path,
        env=surroundings(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    reading = threading.Thread(target=process.communicate)
    try:
        read_until(process, "ready in")
        reading.start()
        yield Path(f"/proc/{process.pid}/root{store}")
    finally:
        process.terminate()
        reading.join(30) if reading.ident else process.communicate()
        assert servers_on(files_of(directory)) == []


def can_mount(place: Path) -> bool:
    """Whether this machine lets its users mount something in a name space of their own."""
    with suppress(FileNotFoundError):
        return subprocess.run(["unshare", "-rm", "sh", "-c", MOUNT, place, "true"], check=False).returncode == 0
    return False


def fill(disk: Path) -> Path:
    """Take all the room there is."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as stream:
        for size in (2**20, 2**12, 1):
            with suppress(OSError):
                while True:
                    stream.write(b"x" * size)
    return filler


async def test_on_a_full_disk_nothing_is_accepted_and_with_room_again_everything_is(tmp_path: Path) -> None:
    """A tool needs no disk. What was accepted before is worked; the server recovers without anybody's help."""
    if not can_mount(tmp_path):
        pytest.skip("no file system can be mounted here")
    directory = Directory(tmp_path)
    directory.write("network.yaml", NETWORK)
    directory.write("inn.py", MODULE)
    with on_a_small_disk(directory) as disk:
        async with client(directory) as network:
            await network.call("kitchen/cook", "soup", mode="async", request_id="soup")
            filler = fill(disk)
            assert os.statvfs(disk).f_bavail == 0
            refused = await until_refused(network)
            assert refused.error is not None
            assert refused.error.code == Code.UNAVAILABLE
            assert "disk full" in (refused.error.hint or "")
            assert (await call(network, "kitchen/say", "there?")).result == "there?"
            filler.unlink()
            (tmp_path / "release").touch()
            await eventually(lambda: answers(network, "soup"), "the outcome of what was accepted before")
            assert (await call(network, "kitchen/taste", "fish", request_id="fish")).result == "fish"
            assert await network.requests("PENDING") == ()


async def until_refused(network: NetworkClient) -> WorkResponse:
    """The store may have a little room left in a file that is there already."""
    for number in range(1000):
        response = await call(network, "kitchen/taste", LARGE, request_id=f"one-more-{number}")
        if response.error is not None:
            return response
    raise AssertionError("a full disk refuses nothing")


async def answers(network: NetworkClient, request_id: str) -> bool:
    """While the server is started again nobody may be there to ask, for longer than a question waits."""
    try:
        outcome = await network.result(request_id, wait=False)
    except NotRunning:
        return False
    return isinstance(outcome, WorkResponse) and outcome.error is None
