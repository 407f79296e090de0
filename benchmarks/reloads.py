"""A hundred reloads under 200 calls a second: whether any call fails, is lost, or is answered by half a configuration.

    python benchmarks/reloads.py [--reloads 100] [--rate 200] [--placement inline]
    python benchmarks/reloads.py --memory [--reloads 300] [--rate 50]

The network of benchmarks/storm.py is `run-network up --json` in a process of its own. Calls are made at a steady rate,
however long the answers take. One save follows another as soon as that is in force, or refused where it is no good.
It prints what was counted, and ends with 1 where any of these is not 0: calls that failed; calls that were lost;
answers that mix two versions; answers by a version older than the one in force when they were asked for, or newer than
what was saved by then; connections of ensembles that are never removed that are not what they were. With `--placement`
some of the ensembles have a process each: `callers` who ask others, `providers` who are asked by one that has none, or
all of them in `process`; among each there are such whose code is edited, and such whose code is not.

With `--memory`, what the runner and nats-server take and keep at the start and after each third of the saves; then the
same calls for as long, in a network that nobody saves. Of both, the line through the runner's resident memory after the
first hundred reloads: ends with 1 where it rises by more with reloads than the bound in benchmarks/footprint.py, or
where more lives in the runner at the end than after these.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from benchmarks.footprint import BOUND_KB, MOST_LIVE, Footprint, Live
from benchmarks.storm import SAVES, TARGETS, Judge, Saving, Storm
from runner import connect
from runner.bus.connection import connect as connect_to_server
from runner.client.network import NetworkClient
from runner.state import State
from runner.work import TaskAccepted, WorkResponse

PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.25
MOST_AT_ONCE = 64
"""Where memory is measured: calls that wait for a slow machine would count as what is kept."""

UNTOUCHED = ("garden", "cellar", "kitchen", "waiter")
"""Ensembles that are never removed: their connections stay, whatever is saved."""

CODELESS = ("garden", "cellar")
"""Those whose code no save touches. Other code for an ensemble in a process is another process."""

PLACEMENTS = {
    "inline": frozenset[str](),
    "callers": frozenset({"garden", "waiter"}),
    "providers": frozenset({"garden", "cellar", "kitchen"}),
    "process": frozenset({"garden", "cellar", "kitchen", "waiter"}),
}
"""Who has a process to itself."""


@dataclass
class Up:
    """`run-network up --json`, and the lines it printed of saves."""

    directory: Path
    process: asyncio.subprocess.Process
    told: Path
    """Where `live` is told."""

    async def line(self, *kinds: str) -> dict[str, object]:
        """The next line of one of these kinds."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while text := await self.process.stdout.readline():
                said: dict[str, object] = json.loads(text)
                if said["type"] in kinds:
                    return said
        raise SystemExit("run-network ended")

    async def drained(self, seconds: float) -> None:
        """Nobody wants its lines for so long: unread, they would hold it up in the end."""
        assert self.process.stdout is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while await self.process.stdout.readline():
                    pass

    async def ask_server(self, what: str, **options: object) -> dict[str, object]:
        """What the server's monitoring says."""
        state = State(self.directory / ".run-network")
        running = state.running()
        assert running is not None
        seed = (state.keys / "system.nk").read_text().strip()
        connection = await connect_to_server(running.url, caller="_system", credentials=seed)
        try:
            answer = await connection.request(f"$SYS.REQ.SERVER.PING.{what}", json.dumps(options).encode(), timeout=10)
        finally:
            await connection.close()
        found: dict[str, object] = json.loads(answer.data)["data"]
        return found

    async def connections(self) -> dict[str, tuple[int, str]]:
        """The connection of each ensemble, by name: its number and since when it is there."""
        found = await self.ask_server("CONNZ", limit=2048)
        return {one["name"]: (one["cid"], one["start"]) for one in found["connections"]}  # type: ignore[attr-defined]

    async def kept(self) -> dict[str, int]:
        """What the server keeps."""
        connz, jsz = await self.ask_server("CONNZ", limit=2048), await self.ask_server("JSZ")
        return {
            "connections": len(connz["connections"]),  # type: ignore[arg-type]
            "subscriptions": sum(one["subscriptions"] for one in connz["connections"]),  # type: ignore[attr-defined]
            "streams": int(str(jsz["streams"])),
            "consumers": int(str(jsz["consumers"])),
            "messages": int(str(jsz["messages"])),
        }

    def memory(self) -> tuple[float, float]:
        """Resident megabytes of the runner and of its server."""
        server = int((self.directory / ".run-network" / "nats-server.pid").read_text())
        return resident(self.process.pid), resident(server)

    async def live(self) -> Live:
        """What lives in the runner, once nobody's garbage is counted."""
        self.told.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        await eventually(self.told.exists)
        return Live(**json.loads(self.told.read_text()))


def resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@asynccontextmanager
async def up(directory: Path) -> AsyncIterator[Up]:
    told = directory / ".run-network" / "live"
    with (directory / "errors").open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(Path(__file__).with_name("inside.py")), "up", "--json"),
            cwd=directory,
            env={**os.environ, "LIVE": str(told)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            limit=2**22,
        )
    try:
        running = Up(directory, process, told)
        await running.line("ready")
        yield running
    finally:
        process.terminate()
        await process.communicate()


@dataclass
class Callers:
    """Calls at a steady rate, as long as no more than `at_once` are not answered yet; these are in `waiting`."""

    client: NetworkClient
    storm: Storm
    judge: Judge
    rate: float
    at_once: float = inf
    accepted: Counter[str] = field(default_factory=Counter)
    waiting: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        began = time.perf_counter()
        for number, (target, mode) in enumerate(itertools.cycle(TARGETS)):
            await asyncio.sleep(max(0.0, began + number / self.rate - time.perf_counter()))
            while len(self.waiting) >= self.at_once:
                await asyncio.wait(tuple(self.waiting), return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.ensure_future(self._call(target, mode))
            self.waiting.add(task)
            task.add_done_callback(self._done)

    async def finish(self) -> None:
        """Every call has been answered, and every task has one outcome."""
        if self.waiting:
            _, silent = await asyncio.wait(tuple(self.waiting), timeout=PATIENCE_SECONDS)
            for task in silent:
                self.judge.lost("no answer")
                task.cancel()
        for report in await self.client.requests("PENDING"):
            self.judge.lost(f"{report.request_id} is pending")

    def _done(self, task: asyncio.Task[None]) -> None:
        self.waiting.discard(task)
        if not task.cancelled() and (problem := task.exception()):
            self.judge.lost(f"{type(problem).__name__}: {problem}")

    async def _call(self, target: str, mode: str) -> None:
        in_force = self.storm.in_force
        answer = await self.client.call(target, {}, mode=mode)
        if isinstance(answer, TaskAccepted):
            answer = await self.client.result(answer.request_id)  # type: ignore[assignment]
        assert isinstance(answer, WorkResponse), answer
        self.judge.judge(target, answer, in_force, self.storm.saved)


@dataclass
class Reloads:
    """What became of the saves, and how many milliseconds each took to be in force."""

    applied: int = 0
    refused: int = 0
    took: dict[str, list[float]] = field(default_factory=dict)

    async def save(self, saving: Saving, storm: Storm, network: Up) -> None:
        began = time.perf_counter()
        saving.save(storm)
        said = await network.line("reload")
        if said["ok"] is saving.refused:
            raise SystemExit(f"`{saving.name}` was to be {'refused' if saving.refused else 'applied'}: {said}")
        if saving.refused:
            self.refused += 1
            return
        self.applied += 1
        storm.in_force = storm.saved
        self.took.setdefault(saving.name, []).append((time.perf_counter() - began) * 1000)


@dataclass(frozen=True)
class Outcome:
    """`moved` are ensembles whose connection is another than it was."""

    done: Reloads
    judge: Judge
    seconds: float
    moved: tuple[str, ...]

    @property
    def is_fine(self) -> bool:
        return self.judge.is_fine and not self.moved


Look = Callable[[Up, int], Awaitable[None]]


async def storm_over(
    directory: Path,
    reloads: int,
    rate: float,
    look: Look,
    apart: frozenset[str] = frozenset(),
    at_once: float = inf,
    *,
    unsaved_seconds: float = 0.0,
) -> Outcome:
    """Bring a network up, call it and save its files; `look` is awaited at first and after each save.

    `apart` names ensembles that have a process to themselves. The calls go on for `unsaved_seconds` after the last
    save, and `look` is awaited meanwhile.
    """
    storm, judge, done = Storm(directory, apart), Judge(), Reloads()
    storm.begin()
    async with up(directory) as network, connect(directory / "network.yaml", name="storm") as client:
        callers = Callers(client, storm, judge, rate, at_once)
        before = await network.connections()
        calling = asyncio.ensure_future(callers.run())
        await eventually(lambda: judge.answers > len(TARGETS))
        await look(network, 0)
        began = time.perf_counter()
        for number, saving in zip(range(1, reloads + 1), itertools.cycle(SAVES), strict=False):
            await done.save(saving, storm, network)
            await look(network, number)
        while time.perf_counter() - began < unsaved_seconds:
            await network.drained(LOOK_SECONDS)
            await look(network, reloads)
        seconds = time.perf_counter() - began
        calling.cancel()
        await callers.finish()
        after = await network.connections()
    stay = [name for name in UNTOUCHED if name in CODELESS or name not in apart]
    return Outcome(done, judge, seconds, tuple(name for name in stay if before[name] != after[name]))


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def measure(reloads: int, rate: float, apart: frozenset[str]) -> bool:
    with tempfile.TemporaryDirectory() as place:
        outcome = await storm_over(Path(place), reloads, rate, look_away, apart)
    show(outcome)
    return outcome.is_fine


async def measure_memory(reloads: int, rate: float, apart: frozenset[str]) -> bool:
    saved, unsaved = Footprint(), Footprint()
    with tempfile.TemporaryDirectory() as place:
        outcome = await storm_over(Path(place), reloads, rate, looking(saved, reloads), apart, MOST_AT_ONCE)
    show(outcome)
    print(f"\nthe same calls for {outcome.seconds:.0f} s, and no reload:")
    with tempfile.TemporaryDirectory() as place:
        look = looking(unsaved, 0)
        control = await storm_over(Path(place), 0, rate, look, apart, MOST_AT_ONCE, unsaved_seconds=outcome.seconds)
    return show_memory(saved, unsaved, control.seconds / reloads) and outcome.is_fine


async def look_away(network: Up, reloads: int) -> None:
    """Nothing to see."""


def looking(footprint: Footprint, last: int) -> Look:
    """Measures, and prints what there is at first and after each third of the reloads."""
    began = time.perf_counter()

    async def look(network: Up, reloads: int) -> None:
        runner, server = network.memory()
        footprint.resident.append((reloads, time.perf_counter() - began, runner * 1024))
        if reloads % max(1, last // 3) or reloads in footprint.live:
            return
        footprint.live[reloads] = live = await network.live()
        kept = ", ".join(f"{amount:,} {name}" for name, amount in (await network.kept()).items())
        print(
            f"after {reloads:3} reloads: runner {runner:6.1f} MB, {live}; nats-server {server:6.1f} MB, {kept}",
            flush=True,
        )

    return look


def show_memory(saved: Footprint, unsaved: Footprint, seconds: float) -> bool:
    """Whether memory is flat; `seconds` is how long a reload took, with what was called meanwhile."""
    with_calls, by_calls = saved.a_reload(), unsaved.a_second() * seconds
    beyond, grown = with_calls - by_calls, saved.grown()
    print(f"at the end: runner {unsaved.resident[-1][2] / 1024:.1f} MB")
    print(
        f"\nfrom reload {saved.warm} on, the runner takes {with_calls:.1f} kB more a reload; "
        f"by the calls alone {by_calls:.1f} kB in that time\n"
        f"{beyond:6.1f} kB a reload beyond the calls   bound {BOUND_KB:g}\n"
        f"{grown:6.3f} times as much lives at the end  bound {MOST_LIVE:g}"
    )
    return beyond <= BOUND_KB and grown <= MOST_LIVE


def show(outcome: Outcome) -> None:
    done, judge, seconds, moved = outcome.done, outcome.judge, outcome.seconds, outcome.moved
    print(
        f"{done.applied} reloads applied and {done.refused} refused in {seconds:.1f} s, "
        f"{judge.answers:,} answers ({judge.answers / seconds:.0f}/s)"
    )
    for name, took in sorted(done.took.items()):
        print(f"  {name:<10} p50 {statistics.median(took):5.0f} ms   max {max(took):5.0f} ms   of {len(took)}")
    named = {
        "failed": "calls failed",
        "lost": "calls lost",
        "mixed": "answers by half a configuration",
        "older": "answers by a version that was not in force any more",
        "new": "answers by a version that was not saved yet",
    }
    for what, words in named.items():
        example = f"   {judge.examples[what]}" if what in judge.examples else ""
        print(f"{judge.counts[what]:6} {words}{example}")
    print(f"{len(moved):6} of {len(UNTOUCHED)} connections changed {' '.join(moved)}")
    print(f"{len(judge.seeds) - 1:6} times a module that was not edited forgot what it knew")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--reloads", type=int)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--placement", choices=sorted(PLACEMENTS), default="inline")
    parser.add_argument("--memory", action="store_true")
    asked = parser.parse_args()
    apart = PLACEMENTS[asked.placement]
    run, reloads, rate = (measure_memory, 300, 50.0) if asked.memory else (measure, 100, 200.0)
    if not asyncio.run(run(asked.reloads or reloads, asked.rate or rate, apart)):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
