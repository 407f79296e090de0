"""One configuration for all runners: whoever is first applies its files, everybody else follows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runner.applied import Applied
from runner.bundle import Bundled
from runner.bus.bundles import BLOB_BYTES, Bundles
from runner.bus.connection import Connection, connect
from runner.bus.streams import ensure_applied
from runner.errors import InvalidNetwork, ServerFailed, UsageProblem
from runner.host.happenings import Configured, Happening, Notice
from runner.host.runner import Runner, running
from runner.subjects import Subjects
from runner.who import who
from runner.workspace import Workspace
from tests.support.networks import eventually, files_in, live, read
from tests.support.servers import plain_server

NETWORK = """\
network: inn
ensembles:
  kitchen:
    tools: {say: {python: "inn:say", share: true}}
"""
MODULE = "import words\n\n\ndef say(text: str) -> str:\n    return words.SAID\n"
SPA = "  spa: {tasks: {relax: {share: true, steps: [{template: ah}]}}}\n"
FILES = {"network.yaml": NETWORK, "inn.py": MODULE, "words.py": "SAID = 'one'\n"}


@asynccontextmanager
async def up(workspace: Workspace, told: list[Happening] | None = None, **options) -> AsyncIterator[Runner]:
    watcher = (told if told is not None else []).append
    async with running(read(workspace), workspace, watcher=watcher, **options) as runner:
        yield runner


async def applied_by(runner: Runner) -> Applied:
    applied, _ = await runner._ground.bundles.current()
    assert applied is not None
    return applied


async def generation(workspace: Workspace) -> int:
    async with up(workspace) as runner:
        return (await applied_by(runner)).generation


async def test_the_first_start_is_generation_1_and_says_who_and_what(tmp_path: Path):
    async with up(files_in(tmp_path, FILES)) as runner:
        applied = await applied_by(runner)
    assert (applied.generation, applied.by, applied.changed) == (1, who(), ("kitchen",))
    assert sorted(applied.bundle.files) == ["inn.py", "network.yaml", "words.py"]


async def test_a_restart_with_the_same_files_keeps_its_generation(tmp_path: Path):
    workspace = files_in(tmp_path, FILES)
    assert [await generation(workspace), await generation(workspace)] == [1, 1]


async def test_a_restart_with_another_imported_module_is_the_next_generation(tmp_path: Path):
    workspace = files_in(tmp_path, FILES)
    assert await generation(workspace) == 1
    files_in(tmp_path, {"words.py": "SAID = 'two'\n"})
    async with up(workspace) as runner:
        applied = await applied_by(runner)
        assert (await runner.census.status()).generation == 2
    assert (applied.generation, applied.changed) == (2, ("kitchen",))


async def test_another_value_of_a_reference_is_the_next_generation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    described = NETWORK.replace("kitchen:\n", 'kitchen:\n    description: "${env:MOTTO:-none}"\n')
    workspace = files_in(tmp_path, {**FILES, "network.yaml": described})
    assert await generation(workspace) == 1
    monkeypatch.setenv("MOTTO", "secret-motto")
    async with up(workspace) as runner:
        applied = await applied_by(runner)
    assert applied.generation == 2
    assert b"secret-motto" not in applied.encode()


async def test_another_runner_follows_and_needs_no_more_than_the_name(tmp_path: Path):
    elsewhere = files_in(tmp_path / "elsewhere", {"network.yaml": "network: inn\nensembles: {none: {}}\n"})
    async with plain_server(tmp_path) as url:
        told: list[Happening] = []
        async with (
            live(tmp_path / "here", NETWORK, nats=url, inn=MODULE, words="SAID = 'one'") as inn,
            up(elsewhere, told, nats=url) as other,
        ):
            assert (await applied_by(other)).generation == 1
            assert sorted(other._hosted) == ["kitchen"]
            [configured] = [happening for happening in told if isinstance(happening, Configured)]
            assert (configured.applied.generation, configured.own) == (1, False)
            [notice] = [h.message for h in told if isinstance(h, Notice) and "differ" in h.message]
            assert notice == (
                f"the network runs generation 1 by {who()}, and this runner with it: "
                "the files here differ (inn.py, network.yaml, words.py)"
            )
            await inn.runner.stop_ensembles()
            response = await inn.client.call("kitchen/say", "")
            assert response.result == "one"


async def test_a_runner_with_the_same_files_follows_silently(tmp_path: Path):
    async with plain_server(tmp_path) as url:
        told: list[Happening] = []
        here, there = (files_in(tmp_path / name, FILES) for name in ("a", "b"))
        async with up(here, nats=url), up(there, told, nats=url) as other:
            assert (await applied_by(other)).generation == 1
    assert not any("differ" in happening.message for happening in told if isinstance(happening, Notice))


async def test_the_first_runner_on_an_external_server_applies_its_own_files(tmp_path: Path):
    async with plain_server(tmp_path) as url:
        async with up(files_in(tmp_path / "a", FILES), nats=url):
            pass
        async with up(files_in(tmp_path / "b", {**FILES, "network.yaml": NETWORK + SPA}), nats=url) as runner:
            applied = await applied_by(runner)
            assert (applied.generation, applied.changed, sorted(runner._hosted)) == (2, ("spa",), ["kitchen", "spa"])


async def test_an_ensemble_that_is_not_applied_cannot_be_hosted(tmp_path: Path):
    async with plain_server(tmp_path) as url:
        other = files_in(tmp_path / "b", {**FILES, "network.yaml": NETWORK + SPA})
        async with up(files_in(tmp_path / "a", FILES), nats=url):
            with pytest.raises(UsageProblem, match="there is no ensemble `spa` in what is applied"):
                async with up(other, nats=url, only=frozenset({"spa"})):
                    pass


async def test_what_is_applied_and_cannot_be_read_here_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    described = NETWORK.replace("kitchen:\n", 'kitchen:\n    description: "${file:motto.txt}"\n')
    here = files_in(tmp_path / "a", {**FILES, "network.yaml": described, "motto.txt": "secret-motto"})
    elsewhere = files_in(tmp_path / "b", FILES)
    async with plain_server(tmp_path) as url, up(here, nats=url) as runner:
        assert "motto.txt" not in (await applied_by(runner)).bundle.files
        with pytest.raises(InvalidNetwork) as refused:
            async with up(elsewhere, nats=url):
                pass
        assert refused.value.diagnostics[0].message == "`${file:motto.txt}`: there is no file `motto.txt`"
        files_in(tmp_path / "b", {"motto.txt": "another"})
        async with up(elsewhere, nats=url) as other:
            assert other._ground.network.ensembles["kitchen"].description == "another"


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[Connection]:
    async with plain_server(tmp_path) as url:
        connection = await connect((url,), caller="_runner", credentials=None)
        await ensure_applied(connection, Subjects("inn"))
        yield connection
        await connection.close()


def record(number: int, bundled: Bundled) -> Applied:
    return Applied(generation=number, bundle=bundled.bundle, by="me", at="2026-01-01T00:00:00Z")


async def put(bundles: Bundles, number: int, bundled: Bundled) -> Applied:
    before, revision = await bundles.current()
    applied = record(number, bundled)
    await bundles.put_away(bundled, before)
    assert await bundles.commit(applied, revision)
    return applied


async def test_files_of_any_size_come_back_as_they_were(connection: Connection):
    contents = {
        "network.yaml": b"",
        "big": bytes(range(256)) * 4096,
        "edge": b"x" * BLOB_BYTES,
        "e/over": b"y" * (BLOB_BYTES + 1),
    }
    bundled, bundles = Bundled.of("network.yaml", contents), Bundles(connection, Subjects("inn"))
    await put(bundles, 1, bundled)
    assert await bundles.load(bundled.bundle) == bundled


async def test_of_two_who_apply_at_once_one_is_refused_and_nothing_of_it_is_in_force(connection: Connection):
    bundles = Bundles(connection, Subjects("inn"))
    await put(bundles, 1, Bundled.of("network.yaml", {"network.yaml": b"1"}))
    before, revision = await bundles.current()
    one, two = (Bundled.of("network.yaml", {"network.yaml": text}) for text in (b"2", b"two"))
    for bundled in (one, two):
        await bundles.put_away(bundled, before)
    assert [await bundles.commit(record(2, bundled), revision) for bundled in (one, two)] == [True, False]
    assert (await bundles.current())[0] == record(2, one)
    assert [applied.bundle for applied in await bundles.history()] == [before.bundle if before else None, one.bundle]


async def test_a_runner_that_dies_just_after_the_write_that_counts_leaves_no_gap_in_the_history(connection: Connection):
    bundles = Bundles(connection, Subjects("inn"))
    for number in (1, 2, 3):
        await put(bundles, number, Bundled.of("network.yaml", {"network.yaml": str(number).encode()}))
    await bundles._bucket.purge("gen.3")
    await put(bundles, 4, Bundled.of("network.yaml", {"network.yaml": b"4"}))
    assert [applied.generation for applied in await bundles.history()] == [1, 2, 3, 4]
    third = await bundles.generation(3)
    assert third is not None
    assert (await bundles.load(third.bundle)).read("network.yaml") == b"3"
    assert await bundles.generation(7) is None


async def test_old_generations_go_and_their_files_with_them(connection: Connection, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("runner.bus.bundles.KEPT", 2)
    monkeypatch.setattr("runner.bus.bundles.UNCLAIMED", timedelta(days=-1))
    bundles, always = Bundles(connection, Subjects("inn")), b"z" * (BLOB_BYTES + 1)
    for number in (1, 2, 3, 4):
        contents = {"network.yaml": str(number).encode(), "large": bytes([number]) * (BLOB_BYTES + 9), "always": always}
        await put(bundles, number, Bundled.of("network.yaml", contents))
    await bundles.tidy()
    history = await bundles.history()
    assert [applied.generation for applied in history] == [3, 4]
    for applied in history:
        assert (await bundles.load(applied.bundle)).read("always") == always
    kept = {sha for applied in history for sha in applied.bundle.files.values()}
    stored = {key.partition(".")[2] for key in await bundles._bucket.keys() if key.startswith(("blob.", "large."))}
    assert stored == kept


async def test_the_leader_forgets_what_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("runner.bus.bundles.KEPT", 1)
    monkeypatch.setattr("runner.host.tidying.EVERY_SECONDS", 0.05)
    workspace = files_in(tmp_path, FILES)
    assert await generation(workspace) == 1
    files_in(tmp_path, {"words.py": "SAID = 'two'\n"})
    async with up(workspace) as runner:

        async def only_the_second() -> bool:
            return [applied.generation for applied in await runner._ground.bundles.history()] == [2]

        await eventually(only_the_second, "forgetting")


async def test_files_that_somebody_may_be_about_to_apply_stay(connection: Connection):
    bundles = Bundles(connection, Subjects("inn"))
    await put(bundles, 1, Bundled.of("network.yaml", {"network.yaml": b"1"}))
    proposed = Bundled.of("network.yaml", {"network.yaml": b"2"})
    await bundles.put_away(proposed, None)
    await bundles.tidy()
    assert await bundles.load(proposed.bundle) == proposed


@pytest.mark.parametrize(
    ("key", "size"),
    [("stamp", 9), ("purge", 9), *((key, BLOB_BYTES + 9) for key in ("stamp", "purge", "delete", "_purge"))],
)
async def test_files_that_somebody_puts_away_while_they_are_being_forgotten_stay(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, key: str, size: int
):
    """At any moment of the forgetting."""
    monkeypatch.setattr("runner.bus.bundles.UNCLAIMED", timedelta(0))
    bundles, content = Bundles(connection, Subjects("inn")), b"x" * size
    again = Bundled.of("network.yaml", {"network.yaml": b"1", "again": content})
    await bundles.put_away(again, None)
    before = await put(bundles, 1, Bundled.of("network.yaml", {"network.yaml": b"1"}))
    place: Any = bundles._objects if key in ("delete", "_purge") else bundles._bucket
    forget, done = getattr(place, key), []

    async def meanwhile(*terms: Any, **named: Any) -> Any:
        mine = place is bundles._objects or terms[0].partition(".")[0] in ("blob", "large")
        if not mine or done:
            return await forget(*terms, **named)
        done.append(key)
        found = await forget(*terms, **named) if key == "stamp" else None
        await bundles.put_away(again, before)
        return found if key == "stamp" else await forget(*terms, **named)

    monkeypatch.setattr(place, key, meanwhile)
    await bundles.tidy()
    assert done == [key]
    assert await bundles.load(again.bundle) == again


async def test_a_file_that_is_not_what_was_applied_is_refused(connection: Connection):
    bundles = Bundles(connection, Subjects("inn"))
    bundled = Bundled.of("network.yaml", {"network.yaml": b"1"})
    await put(bundles, 1, replace(bundled, blobs=dict.fromkeys(bundled.blobs, b"forged")))
    with pytest.raises(ServerFailed, match=r"the applied `network.yaml` is not what it was"):
        await bundles.load(bundled.bundle)


async def test_a_client_reads_what_runs_and_what_ran(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE, words="SAID = 'one'"):
        pass
    async with live(tmp_path, NETWORK, inn=MODULE, words="SAID = 'two'") as inn:
        applied, history = await inn.client.applied(), await inn.client.history()
        assert (applied.generation, sorted(applied.files)) == (2, ["inn.py", "network.yaml", "words.py"])
        assert [(entry.generation, entry.files) for entry in history] == [(1, tuple(applied.files)), (2, ("words.py",))]
        assert (await inn.client.bundle()).read("words.py") == b"SAID = 'two'"
        assert (await inn.client.bundle(1)).read("words.py") == b"SAID = 'one'"
        with pytest.raises(UsageProblem, match="there is no generation 3"):
            await inn.client.bundle(3)
