"""Many calls at once: every one is answered exactly once with its own answer, and memory stays flat."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from benchmarks.soak import TASKS, TOOLS, Kind, Soaked, soaked
from tests.support.networks import eventually

MEGABYTES = 30.0
"""Far above what a batch leaves in a runner that keeps nothing (2 MB measured), far below 11,000 kept requests."""


async def test_ten_thousand_tool_calls_and_a_thousand_tasks(tmp_path: Path) -> None:
    async with soaked(tmp_path) as network:
        for kind in (TOOLS, TASKS):
            await network.calls(kind, "warm-up", kind.count // 10)
        before = network.memory().runner
        for kind in (TOOLS, TASKS):
            await answered_once_each(network, kind)
        assert network.memory().runner - before < MEGABYTES
        await nothing_is_left(network)


async def answered_once_each(network: Soaked, kind: Kind) -> None:
    """With its own answer each, and one effect for each."""
    contexts = [f"call-{number}" for number in range(kind.count)]
    answers = await network.calls(kind, "call")
    wrong = {
        context: answers.get(context) for context in contexts if answers.get(context) != kind.answer.format(context)
    }
    assert (wrong, len(answers)) == ({}, kind.count)
    effects = Counter(effect for effect in network.effects(kind) if effect.startswith("call-"))
    assert effects == Counter(contexts)


async def nothing_is_left(network: Soaked) -> None:
    """accepted = done + pending, with nothing pending; no slot is taken and no queue holds anything."""
    statuses = Counter(report.status for report in await network.client.requests())
    assert statuses == {"COMPLETED": TASKS.count + TASKS.count // 10}
    await eventually(lambda: idle(network), "an ensemble with nothing in hand")


async def idle(network: Soaked) -> bool:
    [echo] = (await network.client.status()).ensembles
    return (echo.in_flight, set(echo.queued.model_dump().values())) == (0, {0})
