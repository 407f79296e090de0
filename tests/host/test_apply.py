"""One network after the other in a runner that works: nothing is lost, and every answer is from one configuration."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from runner.client.network import NetworkClient
from runner.config.reading import read_network
from runner.errors import ReloadFailed
from runner.host.applying import Changed
from runner.work import EnsembleState, Status, WorkResponse
from tests.support.networks import LiveNetwork, eventually, live

KITCHEN = """
  kitchen:
    capacity: {max_concurrent: %(slots)d, queue_limit: %(limit)d}
    tools:
      taste: {python: dishes:taste, share: {tags: []}}
      %(more)s
    tasks:
      cook:
        share: {tags: []}
        steps: [{python: dishes:cook}]
"""
WAITER = """
  waiter:
    uses:
      taste: kitchen/taste
      cook: kitchen/cook
    tools:
      order: {python: orders:order, share: {tags: []}}
"""
DISHES = """
import spices

def taste() -> dict:
    return {"a": %(n)d, "b": spices.NUMBER}

async def cook(seconds: float = 0) -> dict:
    import asyncio
    first = %(n)d
    await asyncio.sleep(seconds)
    import late
    return {"a": first, "b": spices.NUMBER, "c": late.NUMBER}
"""
ORDERS = """
from runner import Context

async def order(use: str, context: Context, seconds: float | None = None) -> dict:
    return await context.call(use, {} if seconds is None else {"seconds": seconds})
"""


def files(n: int = 101, *, slots: int = 4, limit: int = 1000, more: str = "", extra: str = "", head: str = "") -> dict:
    kitchen = KITCHEN % {"slots": slots, "limit": limit, "more": more}
    return {
        "network.yaml": f"network: inn\n{head}\nensembles:{kitchen}{WAITER}{extra}",
        "dishes.py": DISHES % {"n": n},
        "spices.py": f"NUMBER = {n}\n",
        "late.py": f"NUMBER = {n}\n",
        "orders.py": ORDERS,
    }


@dataclass
class Inn:
    """A network whose files change."""

    network: LiveNetwork
    directory: Path
    generation: int = 1

    @property
    def client(self) -> NetworkClient:
        return self.network.client

    async def apply(self, wanted: dict[str, str]) -> Changed:
        for name, text in wanted.items():
            (self.directory / name).write_text(text)
        kept = {name: text.encode() for name, text in wanted.items()}

        def read(path: str) -> bytes:
            try:
                return kept[path]
            except KeyError:
                raise FileNotFoundError(path) from None

        reading = read_network(self.network.workspace, "network.yaml", {})
        assert reading.network is not None, reading.diagnostics
        self.generation += 1
        return await self.network.runner.apply(reading.network, read, self.generation)

    async def settled(self) -> None:
        await self.network.runner._applying.aftermath.settled()


@asynccontextmanager
async def inn(directory: Path, first: dict[str, str]) -> AsyncIterator[Inn]:
    modules = {name.removesuffix(".py"): text for name, text in first.items() if name.endswith(".py")}
    async with live(directory, first["network.yaml"], **modules) as network:
        yield Inn(network, directory)


@dataclass
class Callers:
    """Somebody who calls all the time, one call after the other, and keeps every answer."""

    call: Callable[[], Awaitable[WorkResponse]]
    answers: list[WorkResponse] = field(default_factory=list)

    async def run(self) -> None:
        while True:
            self.answers.append(await self.call())


GUEST = """
  guest:
    uses: {bite: kitchen/taste}
    tools:
      eat: {python: guests:eat, share: {tags: []}}
"""
GUESTS = """
from runner import Context

async def eat(context: Context) -> dict:
    return await context.call("bite", {})
"""


async def test_new_work_is_of_the_new_configuration_and_what_began_before_ends_with_the_old(tmp_path: Path) -> None:
    async with inn(tmp_path, files(101)) as it:
        await it.apply(files(102))
        kitchen = it.network.runner._hosted["kitchen"]
        before = asyncio.ensure_future(it.client.call("kitchen/cook", {"seconds": 0.5}))
        await eventually(lambda: kitchen.in_flight == 1)
        applied = await it.apply(files(103))
        assert applied.updated == ("kitchen",)
        assert (await it.client.call("kitchen/taste", {})).result == {"a": 103, "b": 103}
        assert (await it.client.call("kitchen/cook", {})).result == {"a": 103, "b": 103, "c": 103}
        assert (await before).result == {"a": 102, "b": 102, "c": 102}


async def test_what_is_not_touched_keeps_its_connection_its_functions_and_its_module_globals(tmp_path: Path) -> None:
    async with inn(tmp_path, files(101)) as it:
        waiter = it.network.runner._hosted["waiter"]
        connection, version = waiter.client, waiter.version
        await it.apply(files(102))
        assert waiter.client == connection
        assert version is not None
        assert waiter.version is not None
        assert waiter.version.generation.number == 2
        assert waiter.version.functions is version.functions


async def test_an_ensemble_comes_and_goes_and_may_call_as_long_as_it_is_there(tmp_path: Path) -> None:
    async with inn(tmp_path, files()) as it:
        applied = await it.apply({**files(extra=GUEST), "guests.py": GUESTS})
        assert applied.started == ("guest",)
        assert (await it.client.call("guest/eat", {})).result == {"a": 101, "b": 101}
        users = (tmp_path / ".run-network" / "nats-server.conf").read_text()
        applied = await it.apply(files())
        assert applied.removed == ("guest",)
        await it.settled()
        assert [e.name for e in (await it.client.status()).ensembles] == ["kitchen", "waiter"]
        assert (await it.client.call("waiter/order", {"use": "taste"})).result == {"a": 101, "b": 101}
        assert len((tmp_path / ".run-network" / "nats-server.conf").read_text()) < len(users)


async def test_a_change_after_which_everybody_may_do_what_they_might_leaves_the_server_alone(tmp_path: Path) -> None:
    async with inn(tmp_path, files()) as it:
        users = tmp_path / ".run-network" / "nats-server.conf"
        before = users.stat().st_ino
        await it.apply(files(102, slots=9))
        await it.settled()
        assert users.stat().st_ino == before


async def test_a_module_that_breaks_while_it_is_imported_changes_nothing(tmp_path: Path) -> None:
    async with inn(tmp_path, files()) as it:
        broken = {**files(102, extra=GUEST), "guests.py": GUESTS, "spices.py": "1 / 0\n"}
        with pytest.raises(ReloadFailed, match=r"spices\.py:1: ZeroDivisionError"):
            await it.apply(broken)
        assert (await it.client.call("waiter/order", {"use": "taste"})).result == {"a": 101, "b": 101}
        status = await it.client.status()
        assert status.generation == 1
        assert [(e.name, e.state) for e in status.ensembles] == [
            ("kitchen", EnsembleState.READY),
            ("waiter", EnsembleState.READY),
        ]
        assert (await it.apply(files(103))).updated == ("kitchen",)


async def test_a_module_that_breaks_as_a_new_ensemble_starts_changes_nothing(tmp_path: Path) -> None:
    async with inn(tmp_path, files()) as it:
        with pytest.raises(ReloadFailed, match=r"guests\.py: `eat` is no function"):
            await it.apply({**files(102, extra=GUEST), "guests.py": "eat = 1\n"})
        await it.settled()
        assert (await it.client.call("kitchen/taste", {})).result == {"a": 101, "b": 101}


CHANGES: list[Callable[[int], dict[str, str]]] = [
    lambda n: files(n),
    lambda n: files(n, slots=2 + n % 5, limit=900 + n),
    lambda n: {**files(n, extra=GUEST), "guests.py": GUESTS},
    lambda n: files(n, more="smell: {python: dishes:taste, share: {tags: []}}"),
    lambda n: files(n - 1, head="defaults: {deadline: 20m, ageing: 1m, max_hops: 9}"),
]


async def test_under_load_nothing_fails_nothing_is_lost_and_no_answer_is_of_two_configurations(tmp_path: Path) -> None:
    async with inn(tmp_path, files(101)) as it:
        await it.apply(files(102))
        client, hosted = it.client, it.network.runner._hosted
        connections = {name: hosted[name].client for name in ("kitchen", "waiter")}
        callers = [
            Callers(lambda: client.call("kitchen/taste", {})),
            Callers(lambda: client.call("waiter/order", {"use": "taste"})),
            Callers(lambda: client.call("waiter/order", {"use": "cook", "seconds": 0.03})),
            Callers(lambda: client.call("kitchen/cook", {"seconds": 0.01})),
        ]
        calling = [asyncio.ensure_future(caller.run()) for caller in callers]
        for number in range(103, 153):
            await it.apply(CHANGES[number % len(CHANGES)](number))
            done = [len(caller.answers) for caller in callers]
            if number % 7 == 0:
                await eventually(lambda done=done: all(len(c.answers) > n for c, n in zip(callers, done, strict=True)))
        for task in calling:
            assert not task.done(), task
            task.cancel()
        await asyncio.wait(calling)
        answers = [answer for caller in callers for answer in caller.answers]
        assert {answer.status for answer in answers} == {Status.COMPLETED}, [a for a in answers if a.error][:3]
        mixed = [answer.result for answer in answers if len(set(dict(answer.result).values())) != 1]
        assert mixed == []
        assert {name: hosted[name].client for name in connections} == connections
        assert len({dict(answer.result)["a"] for answer in answers}) > 5
