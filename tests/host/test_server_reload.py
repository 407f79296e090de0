"""The server reads its configuration again at every change of who may do what: nobody who works notices."""

from __future__ import annotations

import asyncio
from pathlib import Path

from runner.bus.reloading import reload
from runner.work import Status
from tests.support.networks import live

NETWORK = """\
network: inn
ensembles:
  kitchen:
    tools: {say: {python: "inn:say", share: true}}
    tasks: {tell: {share: true, steps: [{python: "inn:say"}]}}
"""


async def test_questions_about_queues_and_calls_are_answered_while_the_server_reads_its_configuration(
    tmp_path: Path,
) -> None:
    async with live(tmp_path, NETWORK, inn="def say() -> str:\n    return 'yes'\n") as inn:
        site = inn.runner._site
        seed = site.reach.system
        assert seed is not None
        over = asyncio.Event()
        asked: list[object] = []

        async def ask() -> None:
            while not over.is_set():
                asked.append(await inn.runner._ground.backlog.depths("kitchen"))

        async def call() -> None:
            while not over.is_set():
                answers = [await inn.client.call(target, {}) for target in ("kitchen/say", "kitchen/tell")]
                assert {answer.status for answer in answers} == {Status.COMPLETED}

        busy = [asyncio.ensure_future(work) for work in (ask(), ask(), ask(), call())]
        for _ in range(40):
            async with inn.runner._applying._quiet():  # as at every change
                await reload(site.reach.urls[0], seed)
        over.set()
        await asyncio.gather(*busy)
        assert len(asked) > 40
