"""What a change leaves to be done, and what one leaves that is given up: nothing is taken away that somebody needs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner.client.network import NetworkClient
from runner.config.reading import read_network
from runner.errors import ReloadFailed, StartFailed
from runner.host.ensemble import HostedEnsemble
from runner.host.runner import Runner
from runner.work import EnsembleState, Standing, Status
from tests.support.networks import LiveNetwork, eventually, files_in, live

KITCHEN = """\
network: inn
defaults: {drain_timeout: %(drain)s}
ensembles:
  kitchen:
    capacity: {max_concurrent: 1, queue_limit: %(limit)d}
    tools: {taste: {python: "dishes:taste", share: true}%(tools)s}
    tasks: {fry: {share: true, steps: [{python: "dishes:fry"}]}%(tasks)s}
  waiter:
    uses: {fry: kitchen/fry%(uses)s}
    tasks: {serve: {share: true, steps: [{python: "dishes:serve"}]}}
"""
SMELL = ', smell: {python: "dishes:taste", share: true}'
COOK = ', cook: {share: true, steps: [{python: "dishes:cook"}]}'
SPA = """\
  spa:
    tools: {rest: {python: "dishes:taste", share: true}}
    tasks: {steam: {share: true, steps: [{python: "dishes:fry"}]}}
"""
DISHES = """\
import asyncio
from pathlib import Path

import helping
from runner import Context

here = Path(__file__).parent


def taste() -> int:
    return %(n)d


def fry() -> int:
    with (here / "fried").open("a") as stream:
        stream.write("%(n)d ")
    return %(n)d


async def released() -> None:
    (here / "begun").touch()
    while not (here / "release").exists():
        await asyncio.sleep(0.01)


async def cook() -> int:
    await released()
    return %(n)d


async def serve(context: Context) -> int:
    await released()
    return await context.call("taste", {})
"""


def files(
    n: int = 1,
    *,
    drain: str = "60s",
    limit: int = 100,
    tools: str = "",
    tasks: str = "",
    uses: str = ", taste: kitchen/taste",
    more: str = "",
) -> dict[str, str]:
    network = KITCHEN % {"drain": drain, "limit": limit, "tools": tools, "tasks": tasks, "uses": uses}
    return {"network.yaml": network + more, "dishes.py": DISHES % {"n": n}, "helping.py": "HELPS = True\n"}


async def nothing() -> None:
    """A commit that needs nobody's leave."""


async def refuse() -> None:
    raise ReloadFailed("somebody else is not ready")


@dataclass
class Inn:
    network: LiveNetwork
    generation: int = 1

    @property
    def client(self) -> NetworkClient:
        return self.network.client

    @property
    def runner(self) -> Runner:
        return self.network.runner

    @property
    def directory(self) -> Path:
        return self.network.workspace.directory

    async def apply(self, wanted: dict[str, str], commit: Callable[[], Awaitable[None]] = nothing) -> None:
        workspace = files_in(self.directory, wanted)
        reading = read_network(workspace, "network.yaml", {})
        assert reading.network is not None, reading.diagnostics
        kept = {name: text.encode() for name, text in wanted.items()}

        def read(path: str) -> bytes:
            try:
                return kept[path]
            except KeyError:
                raise FileNotFoundError(path) from None

        self.generation += 1
        await self.runner.apply(reading.network, read, self.generation, commit)

    async def has_begun(self) -> None:
        await eventually(lambda: (self.directory / "begun").exists(), "the work has begun")

    def release(self) -> None:
        (self.directory / "release").touch()

    def loaded(self) -> set[str]:
        return {name for name in sys.modules if name.startswith("_network_")}


@pytest.fixture
async def inn(tmp_path: Path) -> AsyncIterator[Inn]:
    async with up(tmp_path, files()) as found:
        yield found


@asynccontextmanager
async def up(directory: Path, first: dict[str, str]) -> AsyncIterator[Inn]:
    modules = {name.removesuffix(".py"): text for name, text in first.items() if name.endswith(".py")}
    async with live(directory, first["network.yaml"], **modules) as network:
        yield Inn(network)


async def test_until_a_change_is_in_force_nothing_that_is_new_in_it_works(inn: Inn) -> None:
    async def look() -> None:
        offered = {f"{entry.provider}/{entry.name}" for entry in inn.runner._ground.desk.catalog.capabilities}
        assert offered == {"kitchen/taste", "kitchen/fry", "waiter/serve"}
        assert (await inn.client.call("kitchen/smell", {}, deadline=5)).status is not Status.COMPLETED
        raise ReloadFailed("somebody else is not ready")

    with pytest.raises(ReloadFailed, match="somebody else"):
        await inn.apply(files(2, tools=SMELL, more=SPA), look)
    await inn.apply(files(3, tools=SMELL, more=SPA))
    assert (await inn.client.call("kitchen/smell", {})).result == 3
    assert (await inn.client.call("spa/rest", {})).result == 3


async def test_what_waits_for_an_ensemble_to_come_back_waits_until_it_is_in_force(inn: Inn) -> None:
    await inn.apply(files(2, more=SPA))
    await inn.client.drain("spa")
    await inn.client.call("spa/steam", {}, mode="async", request_id="held")
    await inn.apply(files(3))
    await inn.runner._applying.aftermath.settled()
    with pytest.raises(ReloadFailed, match="somebody else"):
        await inn.apply(files(4, more=SPA), refuse)
    assert not (inn.directory / "fried").exists()
    assert isinstance(await inn.client.result("held", wait=False), Standing)
    await inn.apply(files(5, more=SPA))
    assert (await inn.client.result("held")).result == 5
    assert (inn.directory / "fried").read_text() == "5 "


async def test_where_one_of_two_new_ensembles_fails_the_other_is_not_left_behind(
    inn: Inn, monkeypatch: pytest.MonkeyPatch
) -> None:
    applying = inn.runner._applying
    start, tried, ended = applying.start, [], []

    async def starts(ensemble: HostedEnsemble) -> None:
        tried.append(ensemble)
        if ensemble.name == "bath":
            raise StartFailed("no water")
        await asyncio.sleep(0.05)  # it comes up after the other has failed
        await start(ensemble)
        ended.append(ensemble.name)

    monkeypatch.setattr(applying, "start", starts)
    with pytest.raises(ReloadFailed, match="no water"):
        await inn.apply(files(2, more=SPA + SPA.replace("spa", "bath")))
    assert ended == ["spa"]
    assert [ensemble.state for ensemble in tried] == [EnsembleState.STOPPED] * 2
    assert inn.runner._ground.registry.of("spa") == ()


async def test_a_change_that_is_given_up_leaves_queues_as_they_were(inn: Inn) -> None:
    async def limit() -> int | None:
        jetstream = inn.runner._ground.connection.jetstream()
        return (await jetstream.stream_info("inn_work_kitchen")).config.max_msgs

    before = await limit()
    with pytest.raises(ReloadFailed):
        await inn.apply(files(2, limit=7), refuse)
    assert await limit() == before
    await inn.apply(files(2, limit=7))
    assert await limit() == 7


async def test_a_lower_limit_of_a_queue_loses_nothing_that_waits_in_it(inn: Inn) -> None:
    await inn.apply(files(2, tasks=COOK))
    cooking = [asyncio.ensure_future(inn.client.call("kitchen/cook", {})) for _ in range(9)]
    await eventually(lambda: queued(inn, 8), "eight wait")
    await inn.apply(files(2, tasks=COOK, limit=2))
    inn.release()
    assert [answer.result for answer in await asyncio.gather(*cooking)] == [2] * 9


async def queued(inn: Inn, count: int) -> bool:
    [kitchen] = [e for e in (await inn.client.status()).ensembles if e.name == "kitchen"]
    return kitchen.queued.normal == count


async def test_code_that_fails_to_load_leaves_no_modules(inn: Inn) -> None:
    before = inn.loaded()
    for n in range(3):
        with pytest.raises(ReloadFailed, match="ZeroDivisionError"):
            await inn.apply({**files(n), "dishes.py": DISHES % {"n": n} + "\n1 / 0\n"})
    assert inn.loaded() == before


async def test_work_that_began_before_may_call_what_is_gone_however_long_it_takes(tmp_path: Path) -> None:
    """Longer than an ensemble is given to drain: the reload must not fail it."""
    async with up(tmp_path, files(drain="1s")) as inn:
        serving = asyncio.ensure_future(inn.client.call("waiter/serve", {}, deadline=60))
        await inn.has_begun()
        hosted = inn.runner._hosted
        began = asyncio.get_running_loop().time()
        await inn.apply(files(2, drain="1s", uses=""))
        assert hosted["waiter"].version is not None
        await eventually(lambda: asyncio.get_running_loop().time() > began + 1.5, "the time to drain is over")
        inn.release()
        assert (await serving).result == 2
        await inn.runner._applying.aftermath.settled()
        users = (tmp_path / ".run-network" / "nats-server.conf").read_text()
        assert "inn.tool.waiter.kitchen.taste" not in users


async def test_what_waits_for_a_task_that_its_ensemble_has_no_more_is_worked_off(inn: Inn) -> None:
    await inn.apply(files(2, tasks=COOK))
    cooking = [asyncio.ensure_future(inn.client.call("kitchen/cook", {})) for _ in range(5)]
    await eventually(lambda: queued(inn, 4), "four wait")
    await inn.apply(files(3))
    await inn.apply(files(4))
    inn.release()
    assert [answer.result for answer in await asyncio.gather(*cooking)] == [2] * 5
    await inn.runner._applying.aftermath.settled()
    assert (await inn.client.call("kitchen/cook", {}, deadline=5)).status is Status.REJECTED


async def test_an_ensemble_that_takes_long_to_stop_holds_up_no_change_of_others(tmp_path: Path) -> None:
    async with up(tmp_path, files(tasks=COOK)) as inn:
        cooking = asyncio.ensure_future(inn.client.call("kitchen/cook", {}))
        await inn.has_begun()
        without = files(2)
        without["network.yaml"] = without["network.yaml"].partition("  kitchen:")[0] + SPA
        await inn.apply(without)
        inn.runner._applying.aftermath._stop_what_is_gone(inn.runner._ground.in_force.generation, 60.0)
        async with asyncio.timeout(20):
            await inn.apply({**without, "dishes.py": DISHES % {"n": 3}})
        assert (await inn.client.call("spa/rest", {})).result == 3
        back = asyncio.ensure_future(inn.apply(files(4)))
        inn.release()
        assert (await cooking).result == 1
        await back
        assert (await inn.client.call("kitchen/taste", {})).result == 4


async def test_what_comes_up_again_in_the_middle_of_a_change_comes_up_in_the_new_configuration(inn: Inn) -> None:
    await inn.client.drain("kitchen")
    kitchen = inn.runner._hosted["kitchen"]
    await eventually(lambda: kitchen.state is EnsembleState.STOPPED, "it is drained")

    coming: list[asyncio.Future[object]] = []

    async def resume() -> None:
        coming.append(asyncio.ensure_future(inn.client.drain("kitchen", resume=True)))
        await eventually(lambda: inn.runner._hosted["kitchen"].state is EnsembleState.STARTING, "it is coming up")

    await inn.apply(files(2), resume)
    await coming[0]
    await eventually(lambda: inn.runner._hosted["kitchen"].state is EnsembleState.READY, "it is up again")
    assert (await inn.client.call("kitchen/taste", {})).result == 2


async def test_what_is_drained_in_the_middle_of_a_change_serves_nothing_more(
    inn: Inn, monkeypatch: pytest.MonkeyPatch
) -> None:
    kitchen, bring = inn.runner._hosted["kitchen"], inn.runner._ground.bring_to

    async def drains(generation: object) -> None:
        await bring(generation)  # type: ignore[arg-type]
        await kitchen.stop(0.0)

    monkeypatch.setattr(type(inn.runner._ground), "bring_to", lambda _, generation: drains(generation))
    await inn.apply(files(2))
    assert kitchen.state is EnsembleState.STOPPED
    assert (await inn.client.call("kitchen/taste", {}, deadline=5)).status is not Status.COMPLETED


async def test_what_could_not_be_taken_away_is_after_the_next_change(
    inn: Inn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def breaks(_: HostedEnsemble) -> None:
        raise RuntimeError("a fault of ours")

    await inn.apply(files(2, tools=SMELL))
    with monkeypatch.context() as patched:
        patched.setattr(HostedEnsemble, "contract", breaks)
        await inn.apply(files(3))
        await inn.runner._applying.aftermath.settled()
    assert "a fault of ours" in caplog.text
    await inn.apply(files(4))
    await inn.runner._applying.aftermath.settled()
    assert (await inn.client.call("kitchen/smell", {}, deadline=5)).status is not Status.COMPLETED
    assert (await inn.client.call("kitchen/taste", {})).result == 4
