"""Looking at a directory again tells what reading all of it anew would, and reads only what may be another."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from runner.host import looking
from runner.host.looking import SETTLED_NANOSECONDS, Looking
from runner.workspace import Workspace

PATHS = ("network.yaml", "a/one.yaml", "a/two.yaml", "b/one.yaml", "missing.py")
TEXTS = ("one", "two", "six", "longer", "")


class Counting(Workspace):
    """Tells what is read of it."""

    opened: list[str]

    def read(self, path: str) -> bytes:
        self.opened.append(path)
        return super().read(path)


def counting(directory: Path) -> Counting:
    workspace = Counting.of(directory / "network.yaml")
    object.__setattr__(workspace, "opened", [])
    assert isinstance(workspace, Counting)
    return workspace


@pytest.fixture
def inn(tmp_path: Path) -> Path:
    (tmp_path / "ensembles").mkdir()
    (tmp_path / "network.yaml").write_text("one")
    (tmp_path / "ensembles" / "spa.yaml").write_text("one")
    return tmp_path


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that was saved was saved a while ago."""
    now = looking.time.time_ns
    monkeypatch.setattr(looking.time, "time_ns", lambda: now() + 2 * SETTLED_NANOSECONDS)


def both(workspace: Workspace) -> Looking:
    look = Looking(workspace)
    look.look_at(["network.yaml", "ensembles/spa.yaml"])
    return look


@pytest.mark.usefixtures("later")
def test_what_nobody_touched_is_not_read_again_and_is_the_same(inn: Path) -> None:
    workspace = counting(inn)
    first = both(workspace)
    assert workspace.opened == ["network.yaml", "ensembles/spa.yaml"]
    again = first.again()
    assert workspace.opened == ["network.yaml", "ensembles/spa.yaml"]
    assert again.seen == first.seen
    assert again.read("network.yaml") == b"one"


@pytest.mark.usefixtures("later")
def test_a_touch_an_edit_and_a_replacement_of_the_same_size_and_time_are_read(inn: Path) -> None:
    workspace = counting(inn)
    look = both(workspace)
    file = inn / "ensembles" / "spa.yaml"
    times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    for save in (
        lambda: os.utime(file),
        lambda: file.write_text("two"),
        lambda: os.replace(_written(inn / "draft", "six"), file),
    ):
        workspace.opened.clear()
        save()
        os.utime(file, ns=times)
        look = look.again()
        assert workspace.opened == ["ensembles/spa.yaml"]
    assert look.read("ensembles/spa.yaml") == b"six"


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_file_that_was_just_saved_is_read_every_time(inn: Path) -> None:
    """A second save within one step of the file system's clock leaves everything but the content as it was."""
    workspace = counting(inn)
    look = both(workspace)
    for _ in range(3):
        workspace.opened.clear()
        look = look.again()
        assert workspace.opened == ["network.yaml", "ensembles/spa.yaml"]


@pytest.mark.usefixtures("later")
def test_a_folder_that_comes_to_lie_outside_is_refused_though_its_files_are_untouched(
    inn: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    look = both(Workspace.of(inn / "network.yaml"))
    away = tmp_path_factory.mktemp("away") / "ensembles"
    os.rename(inn / "ensembles", away)
    (inn / "ensembles").symlink_to(away)
    assert look.again().seen == {"network.yaml": look.seen["network.yaml"], "ensembles/spa.yaml": None}


class Directory(RuleBasedStateMachine):
    """Files are saved, replaced, linked and deleted, folders swapped. Looking again is as looking for the first time.

    All looks are of a later time, so that everything counts as settled; the clock of the file system goes on between.
    """

    @initialize()
    def begin(self) -> None:
        self.held = TemporaryDirectory()
        self.top = Path(self.held.name) / "inn"
        for folder in ("a", "b", "elsewhere"):
            (self.top / folder).mkdir(parents=True)
        self.workspace = Workspace.of(self.top / "network.yaml")
        self.looking = self.look(None)

    def look(self, before: Looking | None) -> Looking:
        looking = Looking(self.workspace, before)
        looking._began += 2 * SETTLED_NANOSECONDS
        looking.look_at(PATHS)
        return looking

    def tick(self) -> None:
        """The clock of the file system has gone on."""
        clock = self.top / "clock"
        clock.touch()
        now = clock.stat().st_ctime_ns
        while clock.stat().st_ctime_ns == now:
            clock.touch()

    def emptied(self, path: str) -> Path:
        """The place of a file, with its folder and without it."""
        self.tick()
        target = self.top / path
        target.parent.mkdir(exist_ok=True)
        target.unlink(missing_ok=True)
        return target

    @rule(path=st.sampled_from(PATHS), text=st.sampled_from(TEXTS))
    def save(self, path: str, text: str) -> None:
        self.tick()
        if (self.top / path).is_file():
            (self.top / path).write_text(text)

    @rule(path=st.sampled_from(PATHS), text=st.sampled_from(TEXTS))
    def save_anew(self, path: str, text: str) -> None:
        self.emptied(path).write_text(text)

    @rule(path=st.sampled_from(PATHS), text=st.sampled_from(TEXTS))
    def replace(self, path: str, text: str) -> None:
        self.tick()
        if (self.top / path).parent.is_dir():
            os.replace(_written(self.top / "draft", text), self.top / path)

    @rule(path=st.sampled_from(PATHS))
    def delete(self, path: str) -> None:
        self.emptied(path)

    @rule(path=st.sampled_from(PATHS), to=st.sampled_from(["network.yaml", "a/two.yaml", "../outside", "nowhere"]))
    def link(self, path: str, to: str) -> None:
        self.emptied(path).symlink_to(self.top / to)

    @rule(one=st.sampled_from("ab"), other=st.sampled_from(["b", "elsewhere", "../away"]))
    def swap_folders(self, one: str, other: str) -> None:
        self.tick()
        (self.top / other).mkdir(exist_ok=True)
        os.rename(self.top / one, self.top / "between")
        if one != other:
            os.rename(self.top / other, self.top / one)
        os.rename(self.top / "between", self.top / other)

    @rule(folder=st.sampled_from("ab"))
    def move_folder_outside(self, folder: str) -> None:
        away = self.top.parent / f"away-{len(list(self.top.parent.iterdir()))}"
        if (self.top / folder).is_dir() and not (self.top / folder).is_symlink():
            os.rename(self.top / folder, away)
            (self.top / folder).symlink_to(away)

    @invariant()
    def is_as_for_the_first_time(self) -> None:
        if not hasattr(self, "looking"):
            return
        self.looking = self.look(self.looking)
        fresh = self.look(None)
        assert self.looking.seen == fresh.seen
        readable = [path for path, digest in fresh.seen.items() if digest is not None]
        assert [self.looking.read(path) for path in readable] == [fresh.read(path) for path in readable]

    def teardown(self) -> None:
        if hasattr(self, "held"):
            self.held.cleanup()


TestDirectory = Directory.TestCase
TestDirectory.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
