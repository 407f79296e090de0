"""A runner that has seen many changes keeps as much as one that has seen few."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.storm import SAVES, Storm
from runner.bus.connection import Connection
from runner.functions.loading import ModuleSpace
from runner.host.ensemble import HostedEnsemble
from runner.host.happenings import Happening, Reloaded, ReloadRefused
from runner.host.runner import Runner, running
from runner.host.version import Generation, Version
from runner.same import InUse
from runner.workspace import Workspace
from tests.support.networks import eventually, read

ROOM = Counter(tasks=5, remembered=20)
"""What comes and goes by the moment: a beat, an answer, what the last edit replaced. 39 saves that each left one would
show."""

KEPT = (Connection, Generation, HostedEnsemble, ModuleSpace, Version)


def kept() -> Counter[str]:
    """What there is of each kind, in the whole process, once nobody's garbage is counted."""
    gc.collect()
    found = Counter(type(one).__name__ for one in gc.get_objects() if isinstance(one, KEPT))
    found["modules"] = sum(name.startswith("_network_") for name in sys.modules)
    found["remembered"] = sum(len(one) for one in gc.get_objects() if isinstance(one, InUse))
    found["tasks"] = len(asyncio.all_tasks())
    return found


async def settled(runner: Runner) -> None:
    await runner._applying.aftermath.settled()
    await eventually(lambda: "spa" not in runner._hosted, "the spa is gone")


async def test_after_fifty_saves_there_is_what_there_was_after_thirteen(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "runner.host")  # pytest keeps what is logged: of a traceback all its frames see
    storm, told = Storm(tmp_path), 0
    storm.begin()
    workspace = Workspace.of(tmp_path / "network.yaml")

    def watcher(happening: Happening) -> None:
        nonlocal told
        told += isinstance(happening, Reloaded | ReloadRefused)

    async with running(read(workspace), workspace, watch=True, watcher=watcher) as runner:

        async def rounds(count: int) -> None:
            for saving in itertools.chain(*[SAVES] * count):
                before = told
                saving.save(storm)
                await eventually(lambda before=before: told > before, saving.name)
            await settled(runner)

        await rounds(1)
        before = kept() + ROOM
        await rounds(3)
        await eventually(lambda: not kept() - before, f"no more than {before}")


@contextmanager
def frozen() -> Iterator[None]:
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def test_reading_leaves_to_the_collector_what_a_process_that_is_up_leaves_behind(tmp_path: Path) -> None:
    """`up` freezes what it has once it is ready. Thawed by the next save, it would hide all garbage among it."""
    Storm(tmp_path).begin()
    with frozen():
        read(Workspace.of(tmp_path / "network.yaml"))
        assert gc.get_freeze_count() > 0
