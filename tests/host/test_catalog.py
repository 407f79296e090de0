"""What the catalog of a running network tells of each capability."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.support.networks import eventually, live

NETWORK = """\
network: inn
ensembles:
  kitchen:
    domain: food-and-beverage
    sla: 2m
    capacity: {max_concurrent: 4, queue_limit: 9}
    tools: {count: {python: "inn:count", share: {tags: [food], cost: 0.5}}}
    tasks: {cook: {share: [food], steps: [{template: Done.}]}}
"""
INN = 'def count(text: str) -> str:\n    "How many are left."\n    return "3"\n'


async def test_each_line_tells_the_contract_the_limits_and_how_long_calls_take(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, inn=INN) as network:

        async def measured() -> bool:
            await network.client.call("kitchen/count", "soup")
            return any(entry.latency_ms is not None for entry in await network.client.catalog())

        await eventually(measured, "a latency in the catalog")
        cook, count = await network.client.catalog()
        assert (count.cost, count.domain, count.max_concurrent) == (0.5, "food-and-beverage", 4)
        assert count.description == "How many are left."
        assert count.latency_ms is not None
        assert count.eta_ms == count.latency_ms
        assert (cook.sla, cook.queue_limit, cook.queue_depth) == (timedelta(minutes=2), 9, 0)
        assert (cook.latency_ms, cook.eta_ms) == (None, None)
        assert cook.version
        assert cook.version != count.version
