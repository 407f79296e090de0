"""The directory of one network file."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from runner import workspace
from runner.workspace import MAX_FILE_BYTES, Workspace


def test_a_small_file_takes_little_memory_to_read(tmp_path: Path) -> None:
    """A runner reads all its files at each save: 16 MB asked for and given back each time leave holes that stay."""
    (tmp_path / "small").write_bytes(b"small")
    (tmp_path / "empty").touch()
    files = Workspace.of(tmp_path / "network.yaml")
    tracemalloc.start()
    try:
        assert files.read("small") + files.read("empty") == b"small"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MAX_FILE_BYTES / 16


def test_of_a_file_that_is_too_large_one_byte_too_many_is_read(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * (MAX_FILE_BYTES + 2))
    (tmp_path / "largest").write_bytes(b"x" * MAX_FILE_BYTES)
    files = Workspace.of(tmp_path / "network.yaml")
    assert (len(files.read("large")), len(files.read("largest"))) == (MAX_FILE_BYTES + 1, MAX_FILE_BYTES)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no file here has more than the system says")
def test_a_file_that_has_more_than_the_system_says_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "PART_BYTES", 64)
    said = Workspace.of("/proc/self/network.yaml").read("status").decode()
    assert said.startswith("Name:")
    assert said.splitlines()[-1].startswith("nonvoluntary_ctxt_switches:")
