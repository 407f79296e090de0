"""What the catalog of a running network tells of each capability."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from runner.reports import CatalogRequest
from runner.work import CapabilityType
from tests.support.networks import eventually, live

NETWORK = """\
network: inn
tags: {food: meals, stock: {description: counts, aliases: [inventory]}}
ensembles:
  kitchen:
    domain: food-and-beverage
    sla: 2m
    capacity: {max_concurrent: 4, queue_limit: 9}
    tools: {count: {python: "inn:count", share: {tags: [food, stock], cost: 0.5}}}
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


async def test_it_is_asked_by_name_tags_type_and_domain_and_an_alias_stands_for_its_tag(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, inn=INN) as network:
        ask = network.client.catalog
        cook, count = await ask()
        assert await ask(["inventory"]) == await ask(["food", "stock"]) == (count,)
        assert await ask(any_tags=["inventory", "food"]) == (cook, count)
        assert await ask(["food"], type=CapabilityType.TASK) == await ask(name="cook") == (cook,)
        assert await ask(domain="food-and-beverage") == (cook, count)
        assert await ask(["food"], domain="repairs") == await ask(["unheard"]) == ()
        called = await network.client.call("count", "soup", tags=["inventory"])
        assert called.result == "3"


async def test_only_what_is_on_the_page_is_put_together(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, inn=INN) as network:
        census = network.runner.census
        assert [entry.name for entry in census.catalog(CatalogRequest())] == ["cook", "count"]
        assert [entry.name for entry in census.catalog(CatalogRequest(offset=1))] == ["count"]
        assert census.catalog(CatalogRequest(offset=2)) == ()
