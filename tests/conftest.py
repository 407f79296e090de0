"""How the suite runs: side by side, unless it is about a single file."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

WORKERS_PER_CORE = 2
"""Most tests wait, for a server or a process, more than they compute."""


def pytest_configure() -> None:
    """Ctrl-C reaches what a test starts, also where the suite runs in the background of a script, which ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """How many processes `-n auto` is: none for tests of one file, which would wait for them longer than they gain."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    files = {argument.partition("::")[0] for argument in config.args}
    if len(files) == 1 and files.pop().endswith(".py"):
        return 0
    return WORKERS_PER_CORE * len(os.sched_getaffinity(0))


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Iterator[Any]:
    """A report goes to the process that prints it as UTF-8: what is none in it, as a test's odd log, goes escaped."""
    return _encodable((yield))


def _encodable(data: Any) -> Any:
    match data:
        case str():
            return data.encode(errors="backslashreplace").decode()
        case dict():
            return {_encodable(key): _encodable(value) for key, value in data.items()}
        case list() | tuple():
            return type(data)(map(_encodable, data))
        case _:
            return data
