"""Discovered uses while what they look for changes: work that began before finds who was there, new work who comes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from runner.work import Status
from tests.support.networks import PLACEMENTS, Place, eventually, live
from tests.support.saving import Saver

NETWORK = """\
network: inn
ensembles:
  desk:
    uses: {meal: {tags: [warm]}}
    tasks:
      order: {share: true, steps: [{python: "inn:wait"}, {use: meal, input: {}}]}
      pass-on: {share: true, steps: [{python: "inn:wait"}, {handoff: meal}]}
  kitchen:
    tasks: {cook: {share: [warm], steps: [{template: "a meal"}]}}
"""
INN = """\
import pathlib
import time


def wait(directory: str) -> None:
    pathlib.Path(directory, "begun").touch()
    while not pathlib.Path(directory, "go").exists():
        time.sleep(0.01)
"""
OTHER_TAG = NETWORK.replace("warm", "hot")
NOBODY = (
    NETWORK.partition("  kitchen:")[0]
    .replace("uses: {meal: {tags: [warm]}}", "uses: {}")
    .replace("{use: meal, input: {}}", '{template: "none"}')
    .replace("{handoff: meal}", '{template: "none"}')
)


@PLACEMENTS
@pytest.mark.parametrize(
    ("task", "after"),
    [("order", OTHER_TAG), ("order", NOBODY), ("pass-on", OTHER_TAG)],
    ids=["used, another tag", "used, removed", "handed off, another tag"],
)
async def test_a_task_that_began_before_a_save_finds_by_a_tag_that_nobody_carries_any_more(
    tmp_path: Path, place: Place, task: str, after: str
) -> None:
    async with live(tmp_path, place(NETWORK), watch=True, inn=INN) as network:
        saver = Saver(network)
        ordering = asyncio.create_task(network.client.call(f"desk/{task}", str(tmp_path), deadline=60))
        await eventually((tmp_path / "begun").exists)
        try:
            await saver.does(("network.yaml", place(after)))
        finally:
            (tmp_path / "go").touch()
        response = await ordering
        assert (response.status, response.result) == (Status.COMPLETED, "a meal"), response


@PLACEMENTS
async def test_a_task_that_begins_with_a_save_finds_by_a_tag_that_came_with_it(tmp_path: Path, place: Place) -> None:
    (tmp_path / "go").touch()
    async with live(tmp_path, place(NETWORK), watch=True, inn=INN) as network:
        saver, over = Saver(network), asyncio.Event()
        failed: list[object] = []

        async def ordering() -> None:
            while not over.is_set():
                response = await network.client.call("desk/order", str(tmp_path), deadline=60)
                if response.status is not Status.COMPLETED:
                    failed.append(response)

        guests = [asyncio.create_task(ordering()) for _ in range(4)]
        try:
            for number in range(6):
                await saver.does(("network.yaml", place(NETWORK.replace("warm", f"warm-{number}"))))
        finally:
            over.set()
            await asyncio.gather(*guests)
        assert failed == []
