"""The catalog at a million capabilities, and how soon one runner knows what another one announces.

    python benchmarks/catalog.py [--capabilities 1000000] [--tags 10000] [--announced 10000] [--runs 3]

name, two tags   a lookup, of keys picked at random; the two tags have matches in common, 50 at most
change           a registration of one ensemble in place of what it had registered before: one of its capabilities is
                 described anew and carries another tag. The catalog before it is held, and checked at the end
memory           what the process grew by, capabilities and their strings included, as they come from the wire
announced        one runner registers, another one's catalog has it: two registries on one nats-server
Beside the lookups stands a look at every capability for the same question. Bounds are those that the catalog is to
hold; a figure beyond its bound ends the run with exit code 1.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from runner.beat import Beat
from runner.bus.connection import connect
from runner.bus.keys import key_in
from runner.bus.permissions import EVERYTHING
from runner.bus.records import Bucket
from runner.bus.server import NatsServer
from runner.bus.server_config import ServerFiles
from runner.bus.streams import ensure_network
from runner.capability import CapabilityInfo
from runner.catalog import Catalog
from runner.host.pulse import Pulse
from runner.host.registry import Registry
from runner.registration import Registration
from runner.subjects import Subjects
from runner.work import CapabilityType, EnsembleState

TAGS_EACH = 5
FAMILIES = (45, 60, 100, 150)
"""Tags are used together by families of so many: at 500 capabilities a tag, two of a family have some 45, 34, 20 or 13
matches."""

OFFERS_EACH = 10
ANNOUNCED_EACH = 50
SAMPLES = 2_000
MOST_MATCHES = 50

NAME_BOUND = 10.0
TAGS_BOUND = 50.0
CHANGE_BOUND = 200.0
BYTES_BOUND = 1536.0
ANNOUNCED_BOUND = 3.0


@dataclass(frozen=True, slots=True)
class Figure:
    what: str
    value: float
    unit: str
    bound: float
    note: str = ""

    @property
    def holds(self) -> bool:
        return self.value < self.bound

    def __str__(self) -> str:
        verdict = "" if self.holds else "  BEYOND ITS BOUND"
        return f"{self.what:<44}{self.value:>10.2f} {self.unit:<6} (bound {self.bound:g}){self.note}{verdict}"


def families(tags: int) -> list[list[str]]:
    """Every tag in one of the families, which have all sizes."""
    found, first = [], 0
    while first < tags:
        size = FAMILIES[len(found) % len(FAMILIES)]
        found.append([f"tag-{number}" for number in range(first, min(tags, first + size))])
        first += size
    return [one for one in found if len(one) >= TAGS_EACH]


def registrations(capabilities: int, tags: int) -> Iterator[Registration]:
    chance = random.Random(1)
    used = families(tags)
    sizes = [len(one) for one in used]
    for number in range(capabilities // OFFERS_EACH):
        provider = f"ensemble-{number}"
        offered = tuple(
            CapabilityInfo(
                name=f"capability-{number * OFFERS_EACH + place}",
                type=CapabilityType.TOOL if place % 2 else CapabilityType.TASK,
                provider=provider,
                tags=tuple(chance.sample(chance.choices(used, sizes)[0], TAGS_EACH)),
                domain=f"domain-{number % 50}",
                description=f"Does the work of capability {place} of the ensemble {number}, and nothing else.",
                max_concurrent=16,
                version="0123456789ab",
            )
            for place in range(OFFERS_EACH)
        )
        record = Registration(ensemble=provider, runner="one", state=EnsembleState.READY, capabilities=offered)
        yield Registration.model_validate_json(record.encode())  # as it comes from the wire


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measured(act: Callable[[int], object], samples: int = SAMPLES) -> list[float]:
    """The microseconds that each of some calls took."""
    took = []
    for number in range(samples):
        started = time.perf_counter()
        act(number)
        took.append((time.perf_counter() - started) * 1e6)
    return took


def index(capabilities: int, tags: int) -> list[Figure]:
    gc.collect()
    before = resident()
    catalog = Catalog()
    started = time.perf_counter()
    gc.disable()  # nothing here is garbage, and each look at a million objects takes a second
    for record in registrations(capabilities, tags):
        catalog = catalog.put(record)
    gc.enable()
    gc.collect()
    each = (resident() - before) / len(catalog)
    gc.freeze()
    print(f"{len(catalog):,} capabilities put, one registration at a time, in {time.perf_counter() - started:.0f} s")

    chance = random.Random(2)
    names = [f"capability-{chance.randrange(capabilities)}" for _ in range(SAMPLES)]
    pairs, used = [], families(tags)
    while len(pairs) < SAMPLES:
        pair = chance.sample(chance.choice(used), 2)
        if 0 < len(catalog.find(tags=pair)) <= MOST_MATCHES:
            pairs.append(pair)
    by_name = measured(lambda number: catalog.find(name=names[number]))
    by_tags = measured(lambda number: catalog.find(tags=pairs[number]))
    matches = statistics.median(len(catalog.find(tags=pair)) for pair in pairs)
    looked = Looked(catalog)
    look_name = measured(lambda number: looked.named(names[number]), 3)
    look_tags = measured(lambda number: looked.tagged(pairs[number]), 3)
    assert all(catalog.find(tags=pair) == looked.tagged(pair) for pair in pairs[:3])

    changed = [changed_one(catalog, chance.randrange(capabilities // OFFERS_EACH), tags) for _ in range(SAMPLES)]
    made: list[Catalog] = []
    changes = measured(lambda number: made.append((made[-1] if made else catalog).put(changed[number])))
    checked(catalog, made[-1], changed)
    return [
        Figure("by name, p50", median(by_name), "µs", NAME_BOUND, against(look_name, by_name)),
        Figure(
            "by two tags, p50", median(by_tags), "µs", TAGS_BOUND, f"{against(look_tags, by_tags)}, {matches:g} of them"
        ),
        Figure("one change, p50", median(changes), "µs", CHANGE_BOUND, f"; p99 {percentile(changes, 99):.0f} µs"),
        Figure("memory for each capability", each, "bytes", BYTES_BOUND),
    ]


@dataclass(frozen=True, slots=True)
class Looked:
    """The same questions, answered by a look at every capability."""

    catalog: Catalog

    def named(self, name: str) -> tuple[CapabilityInfo, ...]:
        return tuple(one for one in self.catalog.capabilities if one.name == name)

    def tagged(self, tags: list[str]) -> tuple[CapabilityInfo, ...]:
        return tuple(one for one in self.catalog.capabilities if all(tag in one.tags for tag in tags))


def changed_one(catalog: Catalog, number: int, tags: int) -> Registration:
    provider = f"ensemble-{number}"
    first, *others = catalog.of_provider(provider)
    moved = replace(first, description="Does more than before.", tags=(*first.tags[1:], f"tag-{number % tags}"))
    return Registration(ensemble=provider, runner="one", state=EnsembleState.READY, capabilities=(moved, *others))


def checked(before: Catalog, after: Catalog, changed: list[Registration]) -> None:
    """The last change of each ensemble is in the last catalog, and none in the first."""
    for record in {record.ensemble: record for record in changed}.values():
        assert after.of_provider(record.ensemble) == record.capabilities
        assert before.of_provider(record.ensemble)[0].description != "Does more than before."
    assert len(before) == len(after)


def median(took: list[float]) -> float:
    return statistics.median(took)


def percentile(took: list[float], which: int) -> float:
    return statistics.quantiles(took, n=100)[which - 1]


def against(slow: list[float], fast: list[float]) -> str:
    return f"; a look at all takes {median(slow) / 1000:,.0f} ms, {median(slow) / median(fast):,.0f} ×"


async def announced(capabilities: int) -> float:
    """The seconds from the first word of one runner until another one's catalog has all."""
    subjects = Subjects("inn")
    async with AsyncExitStack() as leaving:
        directory = Path(leaving.enter_context(tempfile.TemporaryDirectory()))
        key, system = key_in(directory / "runner.nk"), key_in(directory / "system.nk")
        server = NatsServer(ServerFiles(directory))
        leaving.push_async_callback(server.stop)
        await server.start({key.public: EVERYTHING}, system.public)

        async def registry(name: str) -> Registry:
            main = await connect([server.url], caller="_runner", credentials=key.seed, echo=False)
            leaving.push_async_callback(main.close)
            pulse = Pulse(await connect([server.url], caller="_runner", credentials=key.seed), subjects, name)
            leaving.push_async_callback(pulse.close)
            await pulse.listen()
            pulse.start(lambda sequence: beat(name, sequence))
            made = Registry(Bucket(main, subjects.bucket("capabilities")), pulse)
            leaving.push_async_callback(made.close)
            return made

        ground = await connect([server.url], caller="_runner", credentials=key.seed)
        leaving.push_async_callback(ground.close)
        await ensure_network(ground, subjects, results_kept=timedelta(hours=1))
        one, two = await registry("one"), await registry("two")
        await one.open()
        await two.open()
        records = [
            replace_offers(record, ANNOUNCED_EACH) for record in registrations(capabilities // ANNOUNCED_EACH * 10, 900)
        ]
        started = time.perf_counter()
        await asyncio.gather(*map(one.put, records))
        while len(two.catalog) < len(records) * ANNOUNCED_EACH:  # noqa: ASYNC110  nothing tells of a new catalog
            await asyncio.sleep(0.001)
        return time.perf_counter() - started


def replace_offers(record: Registration, count: int) -> Registration:
    """The same ensemble with so many capabilities."""
    offers = tuple(replace(record.capabilities[place % OFFERS_EACH], name=f"offer-{place}") for place in range(count))
    return record.model_copy(update={"capabilities": offers})


def beat(name: str, sequence: int) -> Beat:
    return Beat(runner=name, pid=1, host="here", url="", started_at=datetime.now(UTC), sequence=sequence)


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--capabilities", type=int, default=1_000_000)
    asked.add_argument("--tags", type=int, default=10_000)
    asked.add_argument("--announced", type=int, default=10_000)
    asked.add_argument("--runs", type=int, default=3, help="of `announced`")
    wanted = asked.parse_args()
    seconds = [asyncio.run(announced(wanted.announced)) for _ in range(wanted.runs)]
    what = f"{wanted.announced:,} announced and seen, median of {wanted.runs}"
    figures = [Figure(what, statistics.median(seconds), "s", ANNOUNCED_BOUND)]
    figures += index(wanted.capabilities, wanted.tags)
    print("\n".join(map(str, figures)))
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
