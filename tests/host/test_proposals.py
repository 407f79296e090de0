"""Clients have files applied, wherever they and the runners are."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import package
from runner.bundle import Bundled
from runner.client import proposer
from runner.client.connect import connect
from runner.config.reading import Reading, read_network
from runner.errors import PlanMoved, ReloadFailed, UnknownGeneration
from runner.host.runner import running
from runner.package import NoPackage, packed, unpacked
from runner.work import WorkResponse
from runner.workspace import Workspace
from tests.support.networks import eventually, files_in, live, read
from tests.support.saving import Saver
from tests.support.servers import plain_server

NETWORK = """\
network: inn
ensembles:
  desk:
    tools: {say: {python: "desk:say", share: true}}
"""
PACKED = Bundled.of("network.yaml", {"network.yaml": b"network: inn\n" * 50, "desk.py": b"x = 1\n" * 99})
PACKAGE = packed(PACKED, frozenset())
DESK = "def say(text: str) -> str:\n    return 'one'\n"
SPA = "  spa: {tools: {relax: {python: 'spa:relax', share: true}}}\n"
FILES = {"network.yaml": NETWORK, "desk.py": DESK}
AHEAD = {**FILES, "desk.py": DESK.replace("one", "two")}


def reading_of(workspace: Workspace) -> Reading:
    return read_network(workspace, workspace.file.name, {})


async def said(client) -> str:
    answer = await client.call("desk/say", "")
    assert isinstance(answer, WorkResponse)
    return str(answer.result)


async def test_files_travel_to_runners_that_have_no_copy_of_them(tmp_path: Path) -> None:
    """Whichever runner a client reaches, all of them run what it brought."""
    one, two, mine = (files_in(tmp_path / name, FILES) for name in ("one", "two", "mine"))
    async with plain_server(tmp_path) as url, AsyncExitStack() as stack:
        runners = [await stack.enter_async_context(running(read(at), at, nats=url)) for at in (one, two)]
        client = await stack.enter_async_context(connect(mine.file, nats=url, name="erp"))
        files_in(mine.directory, {"network.yaml": NETWORK + SPA, "desk.py": AHEAD["desk.py"]})
        (mine.directory / "spa.py").write_text("def relax(text: str) -> str:\n    return 'ah'\n")
        done = await client.apply()
        assert (done.applied, done.generation) == (True, 2)
        await eventually(lambda: all(r._ground.in_force.generation.number == 2 for r in runners), "both go with it")
        assert {await said(client) for _ in range(20)} == {"two"}
        assert (await client.call("spa/relax", "")).result == "ah"
        assert (await client.history())[-1].by.startswith("erp of ")


async def test_the_owner_of_the_server_applies_for_those_who_joined(tmp_path: Path) -> None:
    """Only it can grant: with the leader elsewhere, a new ensemble would come up without leave."""
    async with live(tmp_path, NETWORK, desk=DESK) as network:
        workspace = network.workspace
        async with running(read(workspace), workspace, join=True) as joined:
            wired = NETWORK.replace("    tools", "    uses: {relax: spa/relax}\n    tools") + SPA
            files_in(tmp_path, {"network.yaml": wired, "spa.py": "def relax(text: str) -> str:\n    return 'ah'\n"})
            assert (await network.client.apply()).generation == 2
            for runner in (network.runner, joined):
                await eventually(lambda r=runner: r._ground.in_force.generation.number == 2, "both go with it")
            assert (await network.client.call("spa/relax", "")).result == "ah"


async def test_a_question_that_is_asked_again_is_one_change(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, desk=DESK) as network:
        saver = Saver(network)
        saver.write("desk.py", AHEAD["desk.py"])
        proposer = network.client._proposer
        asked = []
        ask = proposer._questions.ask

        async def twice(*question):
            asked.append(question)
            return (await asyncio.gather(ask(*question), ask(*question)))[0]

        proposer._questions.ask = twice  # type: ignore[method-assign]
        assert (await network.client.apply()).generation == 2
        assert len(saver.applied) == len(asked) == 1


async def test_of_two_at_once_one_is_told_that_it_came_second(tmp_path: Path) -> None:
    """Never is one applied on top of the other unseen."""
    async with live(tmp_path, NETWORK, desk=DESK) as network:
        other = files_in(tmp_path / "other", {**FILES, "desk.py": DESK.replace("one", "three")})
        Saver(network).write("desk.py", AHEAD["desk.py"])
        async with connect(network.workspace.file, name="other") as second:
            plans = [await network.client.plan(), await second.plan(reading_of(other))]
            outcomes = await asyncio.gather(
                network.client.apply(plan=plans[0].plan.hash),
                second.apply(reading_of(other), plan=plans[1].plan.hash),
                return_exceptions=True,
            )
        refused = [outcome for outcome in outcomes if isinstance(outcome, ReloadFailed)]
        assert len(refused) == 1, outcomes
        assert [report.generation for report in await network.client.history()] == [1, 2]


async def test_a_rollback_is_not_undone_by_a_touch_but_by_an_edit(tmp_path: Path) -> None:
    """The watcher compares contents with what it last saw: then the file wins, and the block says so."""
    async with live(tmp_path, NETWORK, desk=DESK, watch=True) as network:
        saver = Saver(network)
        assert await saver.does(("desk.py", AHEAD["desk.py"])) == "~ desk  desk.py edited (rolling)"
        done = await network.client.rollback(1)
        assert (done.applied, done.generation, await said(network.client)) == (True, 3, "one")
        (tmp_path / "desk.py").touch()
        saver.write("unrelated.txt", "nothing")
        saver.write("desk.py", AHEAD["desk.py"])
        block = await saver.does(("network.yaml", NETWORK + "    description: front\n"))
        assert block == "~ desk  description not set → front (live), desk.py edited (rolling)"
        assert [told.restores for told in saver.applied] == [None, 1, None]
        assert (await said(network.client), (await network.client.applied()).generation) == ("two", 4)


async def test_what_a_rollback_brings_back_is_not_shown_where_it_was_secret(tmp_path: Path) -> None:
    quiet = NETWORK + '    description: "${env:MOTTO}"\n'
    files_in(tmp_path, {".env": "MOTTO=hush-one\n"})
    async with live(tmp_path, NETWORK, desk=DESK) as network:
        saver = Saver(network)
        saver.write("network.yaml", quiet)
        assert "hush" not in (await network.client.apply()).model_dump_json()
        saver.write(".env", "MOTTO=hush-two\n")
        changed = await network.client.plan()
        assert "description changed (live)" in changed.text
        assert "hush" not in changed.model_dump_json()
        await network.client.apply()
        await network.client.rollback(1)
        again = await network.client.rollback(2)
        assert "description not set → (hidden) (live)" in again.text
        assert "hush" not in again.model_dump_json()
        assert network.runner._ground.network.ensembles["desk"].description == "hush-two"


async def test_a_generation_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, desk=DESK) as network:
        with pytest.raises(UnknownGeneration, match="there is no generation 9: the last is 1"):
            await network.client.rollback(9)
        with pytest.raises(UnknownGeneration):
            await network.client.bundle(9)


async def test_a_plan_of_another_generation_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, desk=DESK) as network:
        with pytest.raises(PlanMoved, match=r"the live network has moved: generation 1 by .* made from generation 7"):
            await network.client.apply(plan="7-5f1c0a9e77b2d643")


async def test_a_client_that_stays_has_the_same_files_planned_at_any_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it sends is kept for a while only."""
    monkeypatch.setattr(proposer, "PACKAGE_KEPT", timedelta(seconds=1))
    async with live(tmp_path, NETWORK, desk=DESK) as inn:
        files_in(tmp_path, AHEAD)
        first = await inn.client.plan()
        server = inn.runner._ground.connection.jetstream()

        async def is_gone() -> bool:
            return (await server.stream_info("OBJ_inn_payloads")).state.messages == 0

        await eventually(is_gone, "the package goes")
        assert await inn.client.plan() == first


@pytest.mark.parametrize("data", [b"", b"no zip", packed(Bundled.of("n", {"a": b"1"}), frozenset())[:-9]])
def test_what_is_no_package_is_refused(data: bytes) -> None:
    with pytest.raises(NoPackage):
        unpacked(data)


@given(st.lists(st.tuples(st.integers(0, len(PACKAGE) - 1), st.integers(0, 255)), max_size=4))
def test_a_package_is_whole_or_refused_whatever_became_of_it(damage: list[tuple[int, int]]) -> None:
    data = bytearray(PACKAGE)
    for place, value in damage:
        data[place] = value
    with suppress(NoPackage):
        assert set(unpacked(bytes(data)).blobs.items()) <= set(PACKED.blobs.items())


def test_what_would_be_too_much_when_it_is_unpacked_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    files = Bundled.of("n", {name: name.encode() * 1000 for name in "abc"})
    monkeypatch.setattr(package, "MAX_PACKAGE_BYTES", 2500)
    with pytest.raises(NoPackage, match="larger than all files together may be"):
        unpacked(packed(files, frozenset()))


def test_a_package_holds_what_is_not_there_yet() -> None:
    files = Bundled.of("n", {"a": b"1", "b": b"2"})
    came = unpacked(packed(files, {files.bundle.files["a"]}))
    assert (came.bundle, came.blobs) == (files.bundle, {files.bundle.files["b"]: b"2"})
