"""Beats, registrations and the lease of runners on one server: who counts as there, and who leads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.beat import Beat, Vitals
from runner.bus.connection import Connection, connect
from runner.bus.keys import key_in
from runner.bus.permissions import EVERYTHING
from runner.bus.records import Bucket
from runner.bus.server import NatsServer
from runner.bus.server_config import ServerFiles
from runner.bus.streams import ensure_network
from runner.capability import CapabilityInfo
from runner.errors import StartFailed
from runner.host import registry
from runner.host.leadership import Leadership
from runner.host.pulse import Pulse
from runner.host.registry import Registry
from runner.registration import Registration
from runner.subjects import Subjects
from runner.work import CapabilityType, EnsembleState
from tests.support.networks import eventually

SUBJECTS = Subjects("inn")


@dataclass
class Stand:
    """One runner, without ensembles."""

    main: Connection
    pulse: Pulse
    registry: Registry
    leadership: Leadership
    constrained: bool = False
    state: EnsembleState = EnsembleState.READY
    led: list[int] = field(default_factory=list)

    def beat(self, sequence: int) -> Beat:
        return Beat(
            runner=self.pulse.runner,
            pid=1,
            host="here",
            url="",
            started_at=datetime.now(UTC),
            sequence=sequence,
            ensembles=(Vitals(ensemble="kitchen", state=self.state, constrained=self.constrained),),
        )

    async def duty(self, epoch: int) -> None:
        self.led.append(epoch)
        try:
            await asyncio.Event().wait()
        finally:
            self.led.append(-epoch)

    async def register(self, state: EnsembleState = EnsembleState.READY) -> None:
        soup = CapabilityInfo(name="soup", type=CapabilityType.TOOL, provider="kitchen")
        offered = (soup,) if state is EnsembleState.READY else ()
        await self.registry.put(
            Registration(ensemble="kitchen", runner=self.pulse.runner, state=state, capabilities=offered)
        )

    async def fall_silent(self) -> None:
        """As a runner that is killed: it says nothing more, and leaves all that it wrote."""
        await self.main.close()
        await self.pulse.connection.close()


@dataclass
class Inn:
    """A server for runners to stand on."""

    url: str
    seed: str
    leaving: AsyncExitStack

    async def stand(self, name: str) -> Stand:
        main = await connect([self.url], caller="_runner", credentials=self.seed, echo=False)
        self.leaving.push_async_callback(main.close)
        pulse = Pulse(await connect([self.url], caller="_runner", credentials=self.seed), SUBJECTS, name)
        self.leaving.push_async_callback(pulse.close)
        registry = Registry(Bucket(main, SUBJECTS.bucket("capabilities")), pulse)
        self.leaving.push_async_callback(registry.close)
        leadership = Leadership(Bucket(pulse.connection, SUBJECTS.bucket("leader")), pulse)
        self.leaving.push_async_callback(leadership.close)
        stand = Stand(main, pulse, registry, leadership)
        leadership.perform(stand.duty)
        await pulse.listen()
        pulse.start(stand.beat)
        await registry.open()
        return stand


@pytest.fixture
async def inn(tmp_path: Path) -> AsyncIterator[Inn]:
    key, system = key_in(tmp_path / "runner.nk"), key_in(tmp_path / "system.nk")
    async with AsyncExitStack() as leaving:
        server = NatsServer(ServerFiles(tmp_path))
        leaving.push_async_callback(server.stop)
        await server.start({key.public: EVERYTHING}, system.public)
        ground = await connect([server.url], caller="_runner", credentials=key.seed)
        leaving.push_async_callback(ground.close)
        await ensure_network(ground, SUBJECTS, results_kept=timedelta(hours=1))
        yield Inn(server.url, key.seed, leaving)


def on_offer(stand: Stand) -> list[str]:
    return [c.name for c in stand.registry.catalog.capabilities]


async def test_what_a_runner_offers_is_on_offer_until_it_falls_silent(inn: Inn) -> None:
    one, two = await inn.stand("one"), await inn.stand("two")
    await two.register()
    await eventually(lambda: on_offer(one) == ["soup"], "soup on offer")
    await eventually(lambda: set(one.pulse.beats) == {"one", "two"}, "both beats")
    await two.fall_silent()
    await eventually(lambda: on_offer(one) == [], "no soup any more")
    assert one.registry.of("kitchen") == ()
    assert one.registry.runners() == {"two"}, "nobody has forgotten it yet"
    assert set(one.pulse.beats) == {"one"}
    await one.registry.bury(0.0)
    assert one.registry.runners() == frozenset()


async def test_who_has_just_come_waits_for_the_beats_of_those_that_it_knows_of(inn: Inn) -> None:
    one = await inn.stand("one")
    await one.register()
    two = await inn.stand("two")
    await two.pulse.until_acquainted(20.0)
    assert "one" in two.pulse.beats
    await one.fall_silent()
    await two.pulse.until_acquainted(20.0)
    two.pulse.mention("never")
    await two.pulse.until_acquainted(0.1)
    assert "never" not in two.pulse.beats


async def test_an_ensemble_whose_runner_fell_silent_is_gone_until_somebody_has_it(inn: Inn) -> None:
    one, two, three = [await inn.stand(name) for name in ("one", "two", "three")]
    await two.register()
    await eventually(lambda: "two" in one.pulse.beats, "the other's beat")
    assert not one.registry.is_gone("kitchen")
    await two.fall_silent()
    await eventually(lambda: one.registry.is_gone("kitchen"), "gone")
    assert one.registry.condition("kitchen").state is EnsembleState.GONE
    await one.registry.bury(0.0)
    assert one.registry.is_gone("kitchen"), "it is remembered when nothing names the runner any more"
    await three.register()
    await eventually(lambda: one.registry.condition("kitchen").state is EnsembleState.READY, "somebody has it again")
    assert not one.registry.is_gone("kitchen")


async def test_a_runner_that_stops_in_order_is_gone_at_once(inn: Inn) -> None:
    one, two = await inn.stand("one"), await inn.stand("two")
    await two.register()
    await eventually(lambda: one.pulse.others() == {"two"}, "the other's beat")
    await eventually(lambda: on_offer(one) == ["soup"], "soup on offer")
    await two.pulse.close()
    await eventually(lambda: one.pulse.silence("two") == float("inf"), "a goodbye")
    assert on_offer(one) == []


async def test_a_runner_whose_registration_somebody_removed_registers_again(inn: Inn) -> None:
    one, two = await inn.stand("one"), await inn.stand("two")
    await two.register()
    await eventually(lambda: on_offer(one) == ["soup"], "soup on offer")
    bucket = Bucket(one.main, SUBJECTS.bucket("capabilities"))
    before = await bucket.get("kitchen.two")
    await one.registry.forget_runner("two")

    async def is_written_again() -> bool:
        entry = await bucket.get("kitchen.two")
        return before is not None and entry is not None and entry.revision > before.revision

    await eventually(is_written_again, "its registration")
    await eventually(lambda: on_offer(one) == ["soup"], "soup on offer again")
    await two.register(EnsembleState.STOPPED)
    await eventually(lambda: on_offer(one) == [], "no soup")
    assert one.registry.runners() == frozenset()


async def test_what_vanishes_from_the_registrations_stays_on_offer_while_its_runner_lives_and_says_so(inn: Inn) -> None:
    """Somebody deletes the record, and whose it is cannot write it again."""
    one, two = await inn.stand("one"), await inn.stand("two")
    await two.register()
    await eventually(lambda: on_offer(one) == ["soup"], "soup on offer")
    await eventually(lambda: "two" in one.pulse.beats, "its beat")
    two.registry._own.clear()
    bucket = Bucket(two.main, SUBJECTS.bucket("capabilities"))
    await bucket.delete("kitchen.two")
    await eventually(lambda: one.registry.count == 0, "the loss")
    assert on_offer(one) == ["soup"]
    await one.registry.reload()
    assert on_offer(one) == ["soup"]
    two.state = EnsembleState.DRAINING
    await eventually(lambda: on_offer(one) == [], "the beat that says that it goes")


async def test_what_vanished_goes_with_its_runner(inn: Inn) -> None:
    one, two = await inn.stand("one"), await inn.stand("two")
    await two.register()
    await eventually(lambda: on_offer(one) == ["soup"], "soup on offer")
    await eventually(lambda: "two" in one.pulse.beats, "its beat")
    bucket = Bucket(two.main, SUBJECTS.bucket("capabilities"))
    two.registry._own.clear()
    await bucket.delete("kitchen.two")
    await eventually(lambda: one.registry.count == 0, "the loss")
    await two.fall_silent()
    await eventually(lambda: on_offer(one) == [], "no soup any more")
    assert one.registry.runners() == frozenset()


async def test_an_ensemble_is_constrained_where_every_live_replica_says_so(inn: Inn) -> None:
    one, two = await inn.stand("one"), await inn.stand("two")
    assert not one.registry.constrained("kitchen"), "nobody is there"
    one.constrained = True
    await one.register()
    await two.register()
    await eventually(lambda: len(one.registry.of("kitchen")) == 2, "two replicas")
    two_says_no = one.pulse.vitals("two", "kitchen")
    assert two_says_no is None or not two_says_no.constrained
    assert not one.registry.constrained("kitchen")
    two.constrained = True
    await eventually(lambda: one.registry.constrained("kitchen"), "both constrained")
    two.constrained = False
    await eventually(lambda: not one.registry.constrained("kitchen"), "one has room again")


async def test_the_first_leads_and_the_next_takes_over_at_once_when_it_gives_up(inn: Inn) -> None:
    one, two = await inn.stand("one"), await inn.stand("two")
    await one.leadership.open()
    await eventually(lambda: one.leadership.leading and one.led == [1], "one at its duty")
    await two.leadership.open()
    await eventually(lambda: two.leadership.leader == "one", "two to know")
    assert not two.leadership.leading
    await one.leadership.close()
    assert not one.leadership.leading
    await eventually(lambda: two.leadership.leading, "the next leader")
    assert (two.leadership.epoch, one.led) == (2, [1, -1])


async def test_a_leader_that_falls_silent_leads_no_more_before_another_does(inn: Inn) -> None:
    one, two = await inn.stand("one"), await inn.stand("two")
    moves: list[tuple[str, str | None]] = []
    two.leadership.on_change(lambda before, lease: moves.append((before, lease.runner)))
    await one.leadership.open()
    await eventually(lambda: one.leadership.leading, "a leader")
    await two.leadership.open()
    await eventually(lambda: two.leadership.leader == "one", "two to know")
    await one.fall_silent()

    def at_most_one() -> bool:
        assert not (one.leadership.leading and two.leadership.leading)
        return two.leadership.leading

    await eventually(at_most_one, "the next leader")
    await eventually(lambda: one.led == [1, -1], "the end of the old duty")
    assert two.leadership.epoch == 2
    assert moves == [("one", "two")]


def a_menu(count: int, *, of_the_day: str = "fish", kitchen: str = "kitchen") -> Registration:
    """What a kitchen offers that has so many dishes, in more records than one."""
    dishes = tuple(
        CapabilityInfo(name=f"dish-{n}", type=CapabilityType.TOOL, provider=kitchen, description=of_the_day * (n < 1))
        for n in range(count)
    )
    return Registration(ensemble=kitchen, runner="two", state=EnsembleState.READY, capabilities=dishes)


async def written(stand: Stand) -> list[str]:
    """The keys that have a value."""
    return [entry.key async for entry in Bucket(stand.main, SUBJECTS.bucket("capabilities")).entries()]


async def test_an_ensemble_that_offers_thousands_is_seen_whole_or_not_at_all(inn: Inn) -> None:
    one, two = await inn.stand("one"), await inn.stand("two")
    seen: set[tuple[int, str | None]] = set()

    def look() -> None:
        first = one.registry.catalog.get("kitchen", "dish-0")
        seen.add((len(one.registry.catalog), first.description if first else None))

    one.registry.on_change(look)
    await two.registry.put(a_menu(12_000))
    await eventually(lambda: len(one.registry.catalog) == 12_000, "all that it offers")
    keys = await written(two)
    assert len(keys) > 2
    await two.registry.put(a_menu(12_000, of_the_day="stew"))
    await eventually(lambda: (12_000, "stew") in seen, "what it offers now")
    assert seen == {(12_000, "fish"), (12_000, "stew")}
    assert 0 < len(set(keys) - set(await written(two))) < len(keys) - 1, "what did not change was not written again"
    late = await inn.stand("late")
    assert len(late.registry.catalog) == 12_000, "whoever comes later finds it whole as well"
    await two.register(EnsembleState.STOPPED)
    await eventually(lambda: len(one.registry.catalog) == 0, "its end")
    assert await written(two) == []


async def test_what_a_dead_runner_offered_in_parts_is_cleared_up_and_what_somebody_removed_is_made_good(
    inn: Inn,
) -> None:
    one, two = await inn.stand("one"), await inn.stand("two")
    await two.registry.put(a_menu(12_000))
    await eventually(lambda: len(one.registry.catalog) == 12_000, "all that it offers")
    keys = set(await written(one))
    for key in keys:
        await Bucket(one.main, SUBJECTS.bucket("capabilities")).delete(key)

    async def made_good() -> bool:
        return set(await written(one)) == keys

    await eventually(made_good, "its registration")
    await two.fall_silent()
    await eventually(lambda: len(one.registry.catalog) == 0, "its end")
    await one.registry.bury(0.0)
    assert (await written(one), one.registry.runners()) == ([], frozenset())


async def test_of_two_registrations_at_once_the_later_one_stands_whole(inn: Inn) -> None:
    """Its process may fall, or its file change, while an ensemble of thousands is still being registered."""
    one, two = await inn.stand("one"), await inn.stand("two")
    menus = a_menu(12_000, of_the_day="stew"), a_menu(12_000, of_the_day="fish"), a_menu(12_000, of_the_day="soup")
    await asyncio.gather(
        two.registry.put(menus[0]), two.register(EnsembleState.DEGRADED), *map(two.registry.put, menus)
    )
    stands = one, two, await inn.stand("late")

    def told() -> list[str | None]:
        dishes = (stand.registry.catalog.get("kitchen", "dish-0") for stand in stands)
        return [dish.description if dish else None for dish in dishes]

    await eventually(lambda: told() == ["soup"] * 3, "the last one, at everybody's")
    await asyncio.gather(two.registry.put(menus[0]), two.register(EnsembleState.STOPPED))
    assert await written(one) == []


async def test_what_one_capability_tells_that_no_message_carries_is_refused_by_its_name(inn: Inn) -> None:
    two = await inn.stand("two")
    with pytest.raises(StartFailed, match=r"^kitchen/dish-0 tells [\d,]+ bytes of itself; the server takes [\d,]+$"):
        await two.registry.put(a_menu(3, of_the_day="fish" * 300_000))


async def test_what_is_kept_of_ensembles_that_are_gone_is_bounded(inn: Inn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MOST_GONE", 3)
    one, two = await inn.stand("one"), await inn.stand("two")
    for number in range(5):
        await two.registry.put(a_menu(1, kitchen=f"kitchen-{number}"))
    await eventually(lambda: len(one.registry.ensembles()) == 5, "five kitchens")
    await eventually(lambda: "two" in one.pulse.beats, "its beat")
    await two.fall_silent()
    await eventually(lambda: len(one.registry.catalog) == 0, "their end")
    await one.registry.bury(0.0)
    assert sum(one.registry.is_gone(f"kitchen-{number}") for number in range(5)) == 3
    assert (one.registry.ensembles(), one.registry._by_ensemble) == ((), {})
