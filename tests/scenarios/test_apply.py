"""Whoever calls all the time does not notice that files are applied and taken back."""

from __future__ import annotations

import asyncio
from pathlib import Path

from runner.client.network import NetworkClient
from runner.work import Status, WorkResponse
from tests.support.networks import live

NETWORK = """\
network: inn
ensembles:
  kitchen:
    tools: {taste: {python: "dishes:taste", share: true}}
    tasks: {cook: {share: true, steps: [{python: "dishes:cook"}]}}
  waiter:
    uses: {cook: kitchen/cook}
    tasks: {serve: {share: true, steps: [{use: cook}]}}
"""
DISHES = """\
import spices


def taste() -> list:
    return [%(n)d, spices.NUMBER]


async def cook() -> list:
    return [%(n)d, spices.NUMBER]
"""
SPICES = "NUMBER = %(n)d\n"
BAR = "  bar: {tasks: {mix: {share: true, steps: [{template: mixed}]}}}\n"
ROUNDS = 6


async def calling(client: NetworkClient, target: str, answers: list[WorkResponse]) -> None:
    while True:
        outcome = await client.call(target, {})
        assert isinstance(outcome, WorkResponse)
        answers.append(outcome)


async def test_applying_and_rolling_back_fails_no_call_and_mixes_no_two_generations(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, dishes=DISHES % {"n": 0}, spices=SPICES % {"n": 0}) as inn:
        answers: list[WorkResponse] = []
        targets = ("kitchen/taste", "kitchen/cook", "waiter/serve")
        calls = [asyncio.ensure_future(calling(inn.client, target, answers)) for target in targets]
        for number in range(1, ROUNDS + 1):
            (tmp_path / "dishes.py").write_text(DISHES % {"n": number})
            (tmp_path / "spices.py").write_text(SPICES % {"n": number})
            (tmp_path / "network.yaml").write_text(NETWORK + (BAR if number % 2 else ""))
            done = await inn.client.apply()
            assert (done.applied, done.generation) == (True, 3 * number - 1)
            assert (await inn.client.rollback(1)).applied
            assert (await inn.client.rollback(3 * number - 1)).applied
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        assert {answer.status for answer in answers} == {Status.COMPLETED}
        mixed = [answer.result for answer in answers if len(set(answer.result)) != 1]
        assert mixed == []
        assert (await inn.client.call("kitchen/taste", {})).result == [ROUNDS, ROUNDS]
