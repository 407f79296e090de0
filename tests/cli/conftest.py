"""Directories to run the command in."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.terminal import Directory, ended, read_until, sample


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    return Directory(tmp_path)


@pytest.fixture
def hotel(tmp_path: Path) -> Directory:
    """A copy of the sample, not running."""
    return sample(tmp_path)


@pytest.fixture(scope="module")
def open_hotel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    """A copy of the sample that is up, for the tests of one module."""
    here = sample(tmp_path_factory.mktemp("hotel"))
    process = here.start("up", "--no-http", "--no-watch")
    try:
        read_until(process, "ensembles ready")
        yield here
    finally:
        process.send_signal(signal.SIGTERM)
        ended(process)
