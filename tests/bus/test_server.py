"""The embedded nats-server: on loopback only, for those who have a key only, with every write on the disk."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from nats import connect as nats_connect
from nats.errors import Error

from runner.bus.connection import Connection, connect
from runner.bus.keys import Key, key_in
from runner.bus.permissions import EVERYTHING
from runner.bus.server import NatsServer
from runner.bus.server_config import MAX_PAYLOAD_BYTES, ServerFiles
from runner.errors import ServerFailed
from tests.support.networks import eventually, live

NETWORK = "network: inn\nensembles: {desk: {tasks: {greet: {share: true, steps: [{template: hello}]}}}}\n"
LISTENING = "0A"


@dataclass(frozen=True)
class Place:
    """A directory for a server and its keys."""

    files: ServerFiles
    runner: Key
    system: Key

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[NatsServer]:
        server = NatsServer(self.files)
        try:
            await server.start({self.runner.public: EVERYTHING}, self.system.public)
            yield server
        finally:
            await server.stop()

    @asynccontextmanager
    async def connected(self, server: NatsServer) -> AsyncIterator[Connection]:
        connection = await connect([server.url], caller="_runner", credentials=self.runner.seed)
        try:
            yield connection
        finally:
            await connection.close()

    @property
    def pid(self) -> int:
        return int(self.files.pid.read_text())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(ServerFiles(tmp_path), key_in(tmp_path / "runner.nk"), key_in(tmp_path / "system.nk"))


def port_of(server: NatsServer) -> int:
    return int(server.url.rpartition(":")[2])


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def listening(pid: int) -> set[str]:
    """Where a process listens, as the kernel tells: `ADDRESS:PORT`, IPv6 in hexadecimal."""
    own = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    found = set()
    for family in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{family}").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == LISTENING and f"socket:[{rest[5]}]" in own:
                address, _, port = local.partition(":")
                shown = socket.inet_ntoa(bytes.fromhex(address)[::-1]) if family == "tcp" else address
                found.add(f"{shown}:{int(port, 16)}")
    return found


async def test_it_listens_on_one_loopback_port_and_nowhere_else(place: Place) -> None:
    """So there is no monitor port either, which would answer every web page."""
    async with place.serving() as server:
        assert listening(place.pid) == {f"127.0.0.1:{port_of(server)}"}


async def test_it_syncs_every_write_and_has_explicit_limits(place: Place) -> None:
    """The server says so itself."""
    async with place.serving() as server:
        told = await varz(server, place.system)
    jetstream = told["jetstream"]["config"]
    assert jetstream["sync_always"] is True
    assert jetstream["store_dir"].startswith(str(place.files.store))
    assert 0 < jetstream["max_memory"] <= 2**30
    assert 0 < jetstream["max_storage"] <= 2**34
    assert (told["host"], told["auth_required"], told["max_payload"]) == ("127.0.0.1", True, MAX_PAYLOAD_BYTES)
    assert not told.get("http_port")


async def varz(server: NatsServer, system: Key) -> dict[str, Any]:
    connection = await connect([server.url], caller="_system", credentials=system.seed)
    try:
        answer = await connection.request("$SYS.REQ.SERVER.PING.VARZ", b"", timeout=10)
        told: dict[str, Any] = json.loads(answer.data)["data"]
        return told
    finally:
        await connection.close()


async def test_it_refuses_whoever_has_no_key_of_the_network(place: Place, tmp_path: Path) -> None:
    async with place.serving() as server:
        for strangers in (
            {},
            {"nkeys_seed_str": key_in(tmp_path / "stranger.nk").seed},
            {"user": "a", "password": "b"},
        ):
            with pytest.raises(Error, match=r"(?i)authorization"):
                await nats_connect(server.url, allow_reconnect=False, **strangers)
        async with place.connected(server):
            pass


async def test_the_port_is_kept_from_run_to_run(place: Place) -> None:
    urls = set()
    for _ in range(3):
        async with place.serving() as server:
            urls.add(server.url)
    assert len(urls) == 1


@pytest.mark.parametrize("remembered", ["taken", "garbage"])
async def test_a_port_that_cannot_be_had_is_replaced(place: Place, remembered: str) -> None:
    """FAULTS 8."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        (place.files.directory / "port").write_text(str(taken) if remembered == "taken" else "soon")
        async with place.serving() as server:
            assert port_of(server) != taken
            assert (place.files.directory / "port").read_text() == str(port_of(server))


async def test_a_port_that_is_in_use_for_a_moment_only_is_kept(place: Place) -> None:
    """Whoever waits for the network looks for it there, and nowhere else."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        (place.files.directory / "port").write_text(str(taken))
        server = NatsServer(place.files)
        starting = asyncio.ensure_future(server.start({place.runner.public: EVERYTHING}, place.system.public))
        await eventually(lambda: place.files.log.exists() and "in use" in place.files.log.read_text(), "a try")
    try:
        await starting
        assert port_of(server) == taken
    finally:
        await server.stop()


async def test_what_was_stored_is_there_in_the_next_run(place: Place) -> None:
    for run in (1, 2):
        async with place.serving() as server, place.connected(server) as connection:
            jetstream = connection.jetstream()
            if run == 1:
                await jetstream.add_stream(name="kept", subjects=["kept"])
                await jetstream.publish("kept", b"still here")
            else:
                assert (await jetstream.get_msg("kept", 1)).data == b"still here"


async def test_a_server_that_ends_at_once_fails_with_the_end_of_its_log(place: Place) -> None:
    place.files.store.write_text("a file where the store should be")
    with pytest.raises(ServerFailed, match=r"nats-server did not start: .*(?i:store|directory)"):
        async with place.serving():
            pass


async def test_stopping_ends_the_process_and_is_without_effect_the_second_time(place: Place) -> None:
    async with place.serving() as server:
        pid = place.pid
        await server.stop()
        assert not is_alive(pid)
        await server.stop()


async def test_the_state_directory_is_its_owners_alone(tmp_path: Path) -> None:
    """Whoever can read it is the operator."""
    async with live(tmp_path, NETWORK) as inn:
        state = inn.workspace.state
        secret = [*sorted((state / "keys").iterdir()), state / "connection.json", state / "nats-server.conf"]
        assert {path.name: mode(path) for path in (state, state / "keys")} == {".run-network": 0o700, "keys": 0o700}
        assert {path.name: mode(path) for path in secret} == {
            "ensemble-desk.nk": 0o600,
            "operator.nk": 0o600,
            "runner.nk": 0o600,
            "system.nk": 0o600,
            "connection.json": 0o600,
            "nats-server.conf": 0o600,
        }
        config = (state / "nats-server.conf").read_text()
        assert [path.name for path in secret[:4] if path.read_text().strip() in config] == [], "seeds in the open"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_state_directory_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    (tmp_path / ".run-network").mkdir(mode=0o755)
    async with live(tmp_path, NETWORK) as inn:
        assert mode(inn.workspace.state) == 0o700


async def test_a_network_that_stopped_leaves_no_server_and_no_task_behind(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK) as inn:
        pid = int((inn.workspace.state / "nats-server.pid").read_text())
    assert not is_alive(pid)
    assert asyncio.all_tasks() == {asyncio.current_task()}
