"""Getting hold of a running network: where it says it is, or where one is told to look."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner import connect
from runner.errors import NotRunning, UsageProblem
from runner.state import State
from runner.work import WorkResponse
from tests.support.networks import LiveNetwork, eventually, live
from tests.support.servers import plain_server

NETWORK = "network: inn\nensembles: {desk: {tools: {say: {python: 'inn:say', share: true}}}}\n"
MODULE = "async def say(text: str) -> str:\n    return text\n"
BOUND_SECONDS = 30.0
"""A dead address must not be waited for for ever: this is far more than it takes."""


async def reach(path: Path, nats: str | None = None, name: str = "tester") -> str:
    """Connect and call, within a bound; what the call said."""
    async with asyncio.timeout(BOUND_SECONDS), connect(path / "network.yaml", nats=nats, name=name) as network:
        response = await network.call("desk/say", "there?")
        assert isinstance(response, WorkResponse)
        return str(response.result)


def url_of(inn: LiveNetwork) -> str:
    [url] = json.loads((inn.workspace.state / "connection.json").read_text())["url"]
    return str(url)


async def test_an_empty_directory_has_no_network_running(tmp_path: Path) -> None:
    with pytest.raises(NotRunning) as raised:
        await reach(tmp_path)
    assert raised.value.message == f"no network is running in {tmp_path}"
    assert raised.value.hint == "start it with `run-network up`, or point at another with --file or --nats"
    assert raised.value.exit_code == 4
    assert os.listdir(tmp_path) == [], "looking leaves nothing behind"


async def test_a_network_that_stopped_is_not_running(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, inn=MODULE):
        assert await reach(tmp_path) == "there?"
    with pytest.raises(NotRunning, match="no network is running in "):
        await reach(tmp_path)


async def test_what_a_killed_runner_announced_is_not_believed(tmp_path: Path) -> None:
    """It could not take it back; but nobody holds the directory any more."""
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        announced = (inn.workspace.state / "connection.json").read_text()
    (tmp_path / ".run-network" / "connection.json").write_text(announced)
    with pytest.raises(NotRunning, match="no network is running in "):
        await reach(tmp_path)


@pytest.mark.parametrize("said", ["", "{", "[]", '{"network": "inn"}', '{"url": 1}', "null", "\0"])
async def test_an_announcement_that_is_none_is_none(tmp_path: Path, said: str) -> None:
    (tmp_path / ".run-network").mkdir()
    (tmp_path / ".run-network" / "connection.json").write_text(said)
    with pytest.raises(NotRunning, match="no network is running in "):
        await reach(tmp_path)


async def test_an_address_where_no_network_answers_is_an_answer(tmp_path: Path) -> None:
    """Nobody listens, somebody is silent, somebody talks of something else, or does not know this directory's key."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for directory in (inside, outside):
        directory.mkdir()
        (directory / "network.yaml").write_text("network: inn\n")
    async with live(inside, NETWORK, inn=MODULE) as inn:
        with (
            socket.create_server(("127.0.0.1", 0)) as silent,
            chatter(b"SSH-2.0-OpenSSH_9.6\r\n") as other,
            socket.socket() as bound,
        ):
            bound.bind(("127.0.0.1", 0))  # nobody listens there, and nobody else comes to
            dead = bound.getsockname()[1]
            urls = [f"nats://127.0.0.1:{port}" for port in (dead, silent.getsockname()[1], other)]
            said = await asyncio.gather(*(refusal(outside, url) for url in (*urls, url_of(inn), ",".join(urls))))
        assert said == [*(f"no network answers at {url}" for url in (*urls, url_of(inn))), said[-1]]
        assert said[-1] == f"no network answers at {', '.join(urls)}"
        assert await reach(inside, url_of(inn)) == "there?", "said by hand, it is still the address beside the key"


async def refusal(path: Path, nats: str) -> str:
    with pytest.raises(NotRunning) as raised:
        await reach(path, nats)
    return raised.value.message


@contextmanager
def chatter(words: bytes) -> Iterator[int]:
    """A port where everybody is told the same."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk() -> None:
            while True:
                try:
                    guest, _ = server.accept()
                except OSError:
                    return
                with guest:
                    guest.sendall(words)

        talking = threading.Thread(target=talk)
        talking.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            talking.join()


@pytest.mark.parametrize("nats", ["nats://", "nats://127.0.0.1:99999", ","])
async def test_an_address_that_is_none_is_an_answer(tmp_path: Path, nats: str) -> None:
    (tmp_path / "network.yaml").write_text(NETWORK)
    with pytest.raises((NotRunning, UsageProblem)):
        await reach(tmp_path, nats)


async def test_with_an_address_only_the_name_is_read_from_the_file(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        url = url_of(inn)
        (tmp_path / "network.yaml").write_text("network: inn\nensembles: {broken: ['\nand more")
        assert await reach(tmp_path) == "there?"
        (tmp_path / "network.yaml").write_text("network: inn\nensembles: 7\nwhat: is this\n")
        assert await reach(tmp_path, url) == "there?"


async def test_with_an_address_that_a_network_here_uses_the_file_may_be_away(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        (tmp_path / "network.yaml").unlink()
        assert await reach(tmp_path, url_of(inn)) == "there?"
        (tmp_path / "network.yaml").write_text("network: [")
        assert await reach(tmp_path, url_of(inn)) == "there?"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "network.yaml"),
        ("", "`network.yaml` is empty"),
        ("ensembles: {}\n", "network"),
        ("network: Inn\n", "Inn"),
        ("network: [\n", "while parsing a flow node"),
    ],
)
async def test_with_an_address_the_file_must_say_the_name(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "network.yaml").write_text(text)
    with pytest.raises(UsageProblem, match=message) as raised:
        await reach(tmp_path, "nats://127.0.0.1:1")
    assert raised.value.hint == "--nats needs the `network:` line of network.yaml"


@pytest.mark.parametrize(
    "name", ["", "Erp", "erp bridge", "erp.bridge", "*", ">", "_root", "_runner", "1st", "a" * 64, "é"]
)
async def test_a_name_that_is_none_is_the_callers_mistake(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageProblem, match="is no name: lower-case letters, digits and hyphens, a letter first"):
        await reach(tmp_path, name=name)


@pytest.mark.parametrize(("name", "caller"), [("erp", "_client-erp"), ("_cli", "_cli"), ("_http", "_http")])
async def test_who_calls_is_named_after_the_client(tmp_path: Path, name: str, caller: str) -> None:
    async with live(tmp_path, NETWORK, inn=MODULE) as inn, connect(inn.workspace.file, name=name) as network:
        assert (network.name, network.network) == (caller, "inn")
        await network.call("desk/say", "hello")


async def test_a_directory_that_was_deleted_is_written_again_where_no_store_was_in_it(tmp_path: Path) -> None:
    async with plain_server(tmp_path / "server") as url, live(tmp_path, NETWORK, nats=url, inn=MODULE) as inn:
        shutil.rmtree(inn.workspace.state)
        state = State(inn.workspace.state)
        await eventually(lambda: state.running() is not None, "the announcement")
