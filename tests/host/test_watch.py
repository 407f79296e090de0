"""What is saved is noticed however it is saved, and what is not saved is not."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from runner.host.looking import Looking
from runner.host.sight import sight
from runner.host.watch import STEP_MILLISECONDS, Watch
from runner.workspace import Workspace
from tests.support.networks import eventually


@dataclass
class Reader:
    """Reads some files of a directory whenever the watch says so."""

    workspace: Workspace
    paths: tuple[str, ...]
    read: list[dict[str, str | None]] = field(default_factory=list)
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self.watch = Watch(self.workspace)
        self.watch.looked = self.look()

    def look(self) -> Looking:
        looking = Looking(self.workspace)
        looking.look_at(self.paths)
        return looking

    async def run(self) -> None:
        async for _ in self.watch.changes():
            self.watch.looked = self.look()
            self.read.append(dict(self.watch.looked.seen))


@asynccontextmanager
async def reading(directory: Path, *paths: str) -> AsyncIterator[Reader]:
    reader = Reader(Workspace.of(directory / "network.yaml"), ("network.yaml", *paths))
    task = asyncio.ensure_future(reader.run())
    try:
        yield reader
    finally:
        task.cancel()
        await asyncio.wait((task,))
        reader.watch.close()


async def settle(reader: Reader, directory: Path) -> None:
    """What was done before is behind it: one more save is noticed, and undone."""
    for text in ("mark", None):
        before = len(reader.read)
        target = directory / ".env"
        target.write_text(text) if text else target.unlink()
        await eventually(lambda before=before: len(reader.read) > before, "a save is noticed")


async def noticed(reader: Reader, times: int) -> None:
    await eventually(lambda: len(reader.read) >= times, f"{times} changes are noticed")


@pytest.fixture
def inn(tmp_path: Path) -> Path:
    (tmp_path / "network.yaml").write_text("one")
    (tmp_path / "ensembles").mkdir()
    (tmp_path / "ensembles" / "kitchen.yaml").write_text("one")
    return tmp_path


async def test_an_edit_is_noticed_also_one_of_the_same_size_at_once(inn: Path) -> None:
    async with reading(inn, "ensembles/kitchen.yaml") as reader:
        for times, text in enumerate(("two", "six", "ten"), 1):
            (inn / "ensembles" / "kitchen.yaml").write_text(text)
            await noticed(reader, times)


async def test_a_touch_and_a_save_of_the_same_are_no_change(inn: Path) -> None:
    async with reading(inn, ".env") as reader:
        await settle(reader, inn)
        known = len(reader.read)
        os.utime(inn / "network.yaml")
        (inn / "network.yaml").write_text("one")
        await settle(reader, inn)
        assert len(reader.read) == known + 2


async def test_a_file_that_nobody_read_is_no_change(inn: Path) -> None:
    async with reading(inn, ".env") as reader:
        await settle(reader, inn)
        known = len(reader.read)
        (inn / "notes.txt").write_text("more")
        (inn / "ensembles" / "spa.yaml").write_text("more")
        await settle(reader, inn)
        assert len(reader.read) == known + 2


async def test_a_file_that_is_replaced_by_renaming_is_noticed_every_time(inn: Path) -> None:
    async with reading(inn) as reader:
        for times in range(1, 4):
            (inn / "draft").write_text(f"number {times}")
            os.replace(inn / "draft", inn / "network.yaml")
            await noticed(reader, times)


async def test_a_deletion_and_a_return_are_noticed(inn: Path) -> None:
    async with reading(inn) as reader:
        (inn / "network.yaml").unlink()
        await noticed(reader, 1)
        assert reader.read[-1] == {"network.yaml": None}
        (inn / "network.yaml").write_text("two")
        await noticed(reader, 2)


async def test_a_file_that_was_missing_is_noticed_when_it_comes_also_with_its_folder(inn: Path) -> None:
    async with reading(inn, "prompts/chef/first.md") as reader:
        (inn / "prompts" / "chef").mkdir(parents=True)
        (inn / "prompts" / "chef" / "first.md").write_text("hello")
        await eventually(lambda: bool(reader.read) and reader.read[-1]["prompts/chef/first.md"] is not None, "it came")


async def test_a_folder_that_is_replaced_is_watched_on(inn: Path) -> None:
    async with reading(inn, "ensembles/kitchen.yaml") as reader:
        for times in range(3):
            (inn / "next").mkdir()
            (inn / "next" / "kitchen.yaml").write_text(f"number {times}")
            os.rename(inn / "ensembles", inn / f"old{times}")
            os.rename(inn / "next", inn / "ensembles")
            wanted = reader.look().seen
            await eventually(lambda wanted=wanted: bool(reader.read) and reader.read[-1] == wanted, "it is read")
            (inn / "ensembles" / "kitchen.yaml").write_text(f"edit {times}")
            wanted = reader.look().seen
            await eventually(lambda wanted=wanted: reader.read[-1] == wanted, "the edit in it is read")


async def test_a_link_that_is_swapped_is_noticed_as_config_maps_do_it(inn: Path) -> None:
    for name in ("first", "second"):
        (inn / name).mkdir()
        (inn / name / "network.yaml").write_text(name)
    (inn / "network.yaml").unlink()
    (inn / "data").symlink_to("first")
    (inn / "network.yaml").symlink_to("data/network.yaml")
    async with reading(inn) as reader:
        (inn / "draft").symlink_to("second")
        os.replace(inn / "draft", inn / "data")
        await noticed(reader, 1)
        (inn / "second" / "network.yaml").write_text("edited behind the link")
        await noticed(reader, 2)


async def test_of_a_hundred_saves_the_last_one_is_read_and_few_between(inn: Path) -> None:
    async with reading(inn) as reader:
        for number in range(100):
            (inn / "network.yaml").write_text(f"number {number}")
            await asyncio.sleep(0)
        wanted = reader.look().seen
        await eventually(lambda: bool(reader.read) and reader.read[-1] == wanted, "the last is read")
        assert len(reader.read) < 50


async def test_files_are_not_read_in_the_middle_of_a_save(inn: Path) -> None:
    watch, file = Watch(Workspace.of(inn / "network.yaml")), inn / "network.yaml"
    file.write_text("")
    soon = time.time_ns() + 1_000_000_000
    os.utime(file, ns=(soon, soon))

    def read(looking: Looking) -> bytes:
        found = looking.read("network.yaml")
        file.write_text("whole")
        return found

    assert await watch.look(read) == b"whole"
    watch.close()


def test_every_place_on_the_way_to_a_file_is_looked_at(inn: Path) -> None:
    (inn / "ensembles" / "spa.yaml").symlink_to("../shared/spa.yaml")
    workspace = Workspace.of(inn / "network.yaml")
    seen = sight(workspace, ["ensembles/spa.yaml"])
    below = {os.path.relpath(place, inn) for place in seen.places}
    assert below == {"ensembles", "ensembles/spa.yaml", "shared", "shared/spa.yaml"}
    assert [os.path.relpath(folder, inn) for folder in seen.folders] == [".", "ensembles"]


async def test_a_disk_that_once_takes_too_long_is_watched_on(inn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = threading.Event()
    real = Looking.again

    def again(looking: Looking) -> Looking:
        if not stuck.is_set():
            stuck.set()
            time.sleep(2)
        return real(looking)

    async with reading(inn, ".env") as reader:
        await settle(reader, inn)
        monkeypatch.setattr("runner.host.watch.LOOK_SECONDS", 0.5)
        monkeypatch.setattr(Looking, "again", again)
        known = len(reader.read)
        (inn / "network.yaml").write_text("two")
        await noticed(reader, known + 1)
        assert stuck.is_set()


def versions(directory: Path) -> None:
    """Two folders with files of one version each, written long ago, and a link to the first."""
    for version in ("one", "two"):
        (directory / version).mkdir()
        for name in ("a", "b"):
            (directory / version / name).write_text(version)
            os.utime(directory / version / name, (1e9, 1e9))
    (directory / "now").symlink_to("one")


def swap(directory: Path) -> None:
    (directory / "next").symlink_to("two")
    os.replace(directory / "next", directory / "now")


async def test_files_that_are_swapped_while_they_are_read_are_read_again(tmp_path: Path) -> None:
    versions(tmp_path)
    watch = Watch(Workspace.of(tmp_path / "network.yaml"))
    looks = []

    def read(looking: Looking) -> tuple[bytes, bytes]:
        first = looking.read("now/a")
        if not looks:
            swap(tmp_path)
        looks.append(looking)
        return first, looking.read("now/b")

    try:
        assert await watch.look(read) == (b"two", b"two")
    finally:
        watch.close()
    assert len(looks) == 2


async def test_files_that_never_stand_still_are_read_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.host.watch.STEADY_SECONDS", 0.1)
    watch = Watch(Workspace.of(tmp_path / "network.yaml"))
    looks = []

    def read(looking: Looking) -> bytes:
        looks.append(looking)
        found = looking.read("network.yaml")
        (tmp_path / "network.yaml").write_text(f"network: n{len(looks)}\n")
        return found

    (tmp_path / "network.yaml").write_text("network: n0\n")
    try:
        assert (await watch.look(read)).startswith(b"network: n")
    finally:
        watch.close()
    assert len(looks) <= 2 + 0.1 * 1000 / STEP_MILLISECONDS, "there is a step between two looks that disagree"


async def test_watching_ends_also_where_the_library_loses_a_cancellation(
    inn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does now and then when it is cancelled in the moment in which a change is told."""

    async def awatch(*_: object, stop_event: asyncio.Event, **__: object) -> AsyncIterator[set[object]]:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await stop_event.wait()
        for change in ():
            yield change

    monkeypatch.setattr("runner.host.watch.awatch", awatch)
    async with asyncio.timeout(30), reading(inn) as reader:
        await noticed(reader, 1)


WHOLE = b"network: inn\n"


def glances(monkeypatch: pytest.MonkeyPatch, file: Path, third: bytes | None = None) -> list[Looking]:
    """The looks by which it is seen whether files are still the same; before the third, `third` is written."""
    real, made = Looking.again, []

    def again(looking: Looking) -> Looking:
        made.append(looking)
        if len(made) == 3 and third is not None:
            file.write_bytes(third)
        return real(looking)

    monkeypatch.setattr(Looking, "again", again)
    return made


@asynccontextmanager
async def looked(inn: Path, before: bytes) -> AsyncIterator[tuple[Watch, Path]]:
    """A watch that has seen the network file as it was."""
    watch, file = Watch(Workspace.of(inn / "network.yaml")), inn / "network.yaml"
    file.write_bytes(before)
    os.utime(file, (1e9, 1e9))
    try:
        assert await watch.look(network) == before
        yield watch, file
    finally:
        watch.close()


def network(looking: Looking) -> bytes:
    return looking.read("network.yaml")


def just_now(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    soon = time.time_ns() + 1_500_000_000
    os.utime(file, ns=(soon, soon))


@pytest.mark.parametrize("torn", [b"", b"network: in"])
async def test_a_file_that_is_emptied_and_written_in_place_is_judged_when_it_is_whole(
    inn: Path, monkeypatch: pytest.MonkeyPatch, torn: bytes
) -> None:
    """Whoever writes it may be held up in between, for longer than between the files of one save."""
    monkeypatch.setattr("runner.host.watch.TORN_SECONDS", 60.0)
    async with looked(inn, WHOLE) as (watch, file):
        just_now(file, torn)
        glances(monkeypatch, file, third=b"network: hotel\n")
        assert await watch.look(network) == b"network: hotel\n"


async def test_a_file_that_is_just_being_emptied_has_the_time_of_the_change_before(
    inn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is seen on ext4 (fs/ext4/inode.c, ext4_setattr): the size is nought first, and the time follows."""
    monkeypatch.setattr("runner.host.watch.TORN_SECONDS", 60.0)
    async with looked(inn, WHOLE) as (watch, file):
        file.write_bytes(b"")
        os.utime(file, (1e9, 1e9))
        glances(monkeypatch, file, third=b"network: hotel\n")
        assert await watch.look(network) == b"network: hotel\n"


@pytest.mark.parametrize("torn", [b"", b"network: in"])
async def test_a_file_that_stays_empty_or_cut_off_is_judged_as_it_is(
    inn: Path, monkeypatch: pytest.MonkeyPatch, torn: bytes
) -> None:
    monkeypatch.setattr("runner.host.watch.TORN_SECONDS", 0.1)
    async with looked(inn, WHOLE) as (watch, file):
        just_now(file, torn)
        assert await watch.look(network) == torn


@pytest.mark.parametrize(
    ("before", "now"), [(WHOLE, b"network: hotel\n"), (b"network: inn", b"network: hotel"), (b"", b"")]
)
async def test_a_file_that_ends_as_it_always_did_is_not_waited_for(
    inn: Path, monkeypatch: pytest.MonkeyPatch, before: bytes, now: bytes
) -> None:
    monkeypatch.setattr("runner.host.watch.TORN_SECONDS", 60.0)
    async with looked(inn, before) as (watch, file):
        just_now(file, now)
        made = glances(monkeypatch, file)
        assert await watch.look(network) == now
        assert len(made) == 1
