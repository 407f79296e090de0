"""A request that was accepted is known from then on: it is in the queue, or its outcome is recorded, or both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from runner.errors import UsageProblem
from runner.work import WorkResponse
from tests.support.networks import LiveNetwork, live

COOKS = 12
NETWORK = "network: inn\nensembles:\n" + "".join(
    f"  cook-{number:02}: {{tasks: {{cook: {{share: true, steps: [{{template: 'cooked {{{{ context }}}}'}}]}}}}}}\n"
    for number in range(COOKS)
)
"""Many queues, so that a look at all of them takes its time; the last is the one that is used."""

TASKS, LANES = 100, 4


async def listed(inn: LiveNetwork, request_id: str) -> bool:
    return request_id in {report.request_id for report in await inn.client.requests()}


async def known_by_id(inn: LiveNetwork, request_id: str) -> bool:
    try:
        await inn.client.result(request_id, wait=False)
    except UsageProblem:
        return False
    return True


async def known_by_caller_and_id(inn: LiveNetwork, request_id: str) -> bool:
    return await known_by_id(inn, f"_client-tester/{request_id}")


@pytest.mark.parametrize("look", [listed, known_by_id, known_by_caller_and_id])
async def test_what_is_accepted_is_found_whenever_one_looks(
    tmp_path: Path, look: Callable[[LiveNetwork, str], Coroutine[Any, Any, bool]]
) -> None:
    """Also in the moment in which its outcome is recorded and the queue forgets it."""
    async with live(tmp_path, NETWORK) as inn:
        numbers = iter(range(TASKS))

        async def lane() -> list[str]:
            return [request_id for number in numbers if not await found(inn, request_id := f"r{number}", look)]

        assert await asyncio.gather(*(lane() for _ in range(LANES))) == [[]] * LANES, "missed"


async def found(
    inn: LiveNetwork, request_id: str, look: Callable[[LiveNetwork, str], Coroutine[Any, Any, bool]]
) -> bool:
    """Whether every look at a task finds it, from its acceptance to its answer."""
    accepted = asyncio.Event()
    call = inn.client.call(
        f"cook-{COOKS - 1:02}/cook", "soup", request_id=request_id, on_accepted=lambda _: accepted.set()
    )
    answer = asyncio.ensure_future(call)
    await accepted.wait()
    looks = [await look(inn, request_id)]
    while not answer.done():
        looks.append(await look(inn, request_id))
    response = await answer
    assert isinstance(response, WorkResponse)
    assert response.result == "cooked soup"
    return all(looks)
