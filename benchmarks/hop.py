"""What a hop costs beside raw nats-py: both sides in one run, on one server, in turns.

    python benchmarks/hop.py [--rounds 7] [--calls 400] [--flight 64]

tool hop   client.call of a tool            beside  raw request–reply
task hop   client.call of a task            beside  raw durable hop: publish with ack → continuous puller → one outcome
                                                    recorded by compare-and-set → reply and ack
chain      a task of one ensemble that uses beside  seven raw durable hops, each of which asks the next before it
           one of the next: seven of them           records and answers
Caller and provider are two processes on each side, the seven ensembles of the chain in one as are the seven raw hops;
the server fsyncs every write for both. Prints p50 and p99 in microseconds, calls per second with many in flight, and
the ratios of the medians over all rounds with their bounds. Exits with 1 where a bound does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from raw import ALONE, LINKS, Asker, raw_connection, serve

from runner import connect
from runner.config.reading import read_network
from runner.host.runner import running
from runner.work import WorkResponse
from runner.workspace import Workspace

LINK = """\
  {name}:
    capacity: {{max_concurrent: 64, queue_limit: 100000}}
    uses: {{onward: {next}/work}}
    tasks:
      work: {{share: true, steps: [{{use: onward}}]}}
"""
LAST = """\
  {name}:
    capacity: {{max_concurrent: 64, queue_limit: 100000}}
    tools: {{say: {{python: "echo:say"}}}}
    tasks:
      work: {{share: true, steps: [{{tool: say}}]}}
"""
NETWORK = """\
network: bench
ensembles:
  echo:
    capacity: {max_concurrent: 64, queue_limit: 100000}
    tools:
      say: {python: "echo:say", share: true}
      say-in-a-thread: {python: "echo:say_in_a_thread", share: true}
    tasks:
      work: {share: true, steps: [{tool: say}]}
"""
NETWORK += "".join(LINK.format(name=name, next=following) for name, following in pairwise(LINKS))
NETWORK += LAST.format(name=LINKS[-1])
MODULE = """\
async def say(text: str) -> str:
    return text


def say_in_a_thread(text: str) -> str:
    return text
"""
PAYLOAD = "x" * 200

Call = Callable[[int], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Pair:
    """What is measured beside what: its p50 at most `slower` times raw's, its rate in flight at least `share` of it."""

    ours: str
    raw: str
    slower: float | None = None
    share: float | None = None


PAIRS = (
    Pair("tool", "raw tool", slower=1.5),
    Pair("tool, sync Python", "raw tool"),
    Pair("task", "raw task", slower=1.4, share=0.3),
    Pair("chain of seven", "raw chain of seven", slower=1.6),
)


async def serve_ensembles(directory: Path) -> None:
    workspace = Workspace.of(directory / "network.yaml")
    network = read_network(workspace, "network.yaml", {}).network
    assert network is not None
    async with running(network, workspace) as live:
        print("ready", flush=True)
        await live.wait_stopped()


@asynccontextmanager
async def served(role: str, directory: Path):
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, __file__, "--serve", role, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert (await asyncio.to_thread(process.stdout.readline)).strip() == "ready"
    try:
        yield
    finally:
        process.terminate() if role == "ensembles" else process.stdin.close()
        await asyncio.to_thread(process.wait)


async def one_by_one(call: Call, count: int) -> list[float]:
    spans = []
    for number in range(count):
        began = time.perf_counter()
        await call(number)
        spans.append((time.perf_counter() - began) * 1e6)
    return spans


async def in_flight(call: Call, count: int, flight: int) -> float:
    """Calls per second with `flight` at a time."""
    numbers = iter(range(count))

    async def lane() -> None:
        for number in numbers:
            await call(number)

    began = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(flight)))
    return count / (time.perf_counter() - began)


@asynccontextmanager
async def calls(directory: Path):
    """Every side's call, by name: in pairs, so that both are measured one right after the other."""
    connection = await raw_connection(directory)
    asker = Asker(connection, "bench")
    await asker.open()
    unique = iter(range(10**9))

    async def raw_tool(_: int) -> None:
        await connection.request("raw.tool", PAYLOAD.encode(), timeout=10)

    def raw(hop: str) -> Call:
        async def call(_: int) -> None:
            assert await asker.ask(hop, str(next(unique)), PAYLOAD.encode()) == PAYLOAD.encode()

        return call

    async with connect(directory / "network.yaml", name="bench") as network:

        def ours(target: str) -> Call:
            async def call(_: int) -> None:
                response = await network.call(target, PAYLOAD)
                assert isinstance(response, WorkResponse)
                assert response.result == PAYLOAD, response

            return call

        yield {
            "raw tool": raw_tool,
            "tool": ours("echo/say"),
            "tool, sync Python": ours("echo/say-in-a-thread"),
            "raw task": raw(ALONE),
            "task": ours("echo/work"),
            "raw chain of seven": raw(LINKS[0]),
            "chain of seven": ours(f"{LINKS[0]}/work"),
        }
    await connection.close()


async def measure(rounds: int, count: int, flight: int) -> bool:
    """Print what was measured. Whether every bound holds."""
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        (directory / "network.yaml").write_text(NETWORK)
        (directory / "echo.py").write_text(MODULE)
        async with served("ensembles", directory), served("raw", directory), calls(directory) as sides:
            spans: dict[str, list[float]] = {name: [] for name in sides}
            rates: dict[str, list[float]] = {name: [] for name in sides}
            for call in sides.values():
                await one_by_one(call, count // 4)
            for _ in range(rounds):
                for name, call in sides.items():
                    spans[name] += await one_by_one(call, count // hops(name))
                for name, call in sides.items():
                    rates[name].append(await in_flight(call, 4 * count // hops(name), flight))
    report(spans, rates, flight)
    return verdict(spans, rates, flight)


def hops(name: str) -> int:
    return len(LINKS) if "chain" in name else 1


def report(spans: dict[str, list[float]], rates: dict[str, list[float]], flight: int) -> None:
    print(f"{'':20} {'p50 µs':>9} {'p99 µs':>9} {f'{flight} in flight /s':>18}")
    for name, values in spans.items():
        ordered = sorted(values)
        p99 = ordered[int(len(ordered) * 0.99)]
        print(f"{name:20} {statistics.median(ordered):9.0f} {p99:9.0f} {statistics.median(rates[name]):18.0f}")


def verdict(spans: dict[str, list[float]], rates: dict[str, list[float]], flight: int) -> bool:
    """Say of every ratio whether its bound holds. Whether all do."""
    hold = True
    for pair in PAIRS:
        slower = statistics.median(spans[pair.ours]) / statistics.median(spans[pair.raw])
        share = statistics.median(rates[pair.ours]) / statistics.median(rates[pair.raw])
        soon_enough = pair.slower is None or slower <= pair.slower
        fast_enough = pair.share is None or share >= pair.share
        print(f"{pair.ours}: p50 {slower:.2f} × raw{bound('at most', pair.slower, soon_enough)}")
        print(f"{pair.ours}: {flight} in flight {share:.0%} of raw{bound('at least', pair.share, fast_enough, '.0%')}")
        hold = hold and soon_enough and fast_enough
    return hold


def bound(word: str, value: float | None, holds: bool, form: str = "g") -> str:
    if value is None:
        return " (no bound)"
    return f" ({word} {value:{form}}: {'holds' if holds else 'DOES NOT HOLD'})"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--flight", type=int, default=64)
    parser.add_argument("--serve", nargs=2, metavar=("ROLE", "DIRECTORY"))
    options = parser.parse_args()
    if options.serve:
        role, directory = options.serve
        asyncio.run({"ensembles": serve_ensembles, "raw": serve}[role](Path(directory)))
        return
    print(f"{os.cpu_count()} cores, {options.rounds} rounds of {options.calls} calls")
    if not asyncio.run(measure(options.rounds, options.calls, options.flight)):
        sys.exit(1)


if __name__ == "__main__":
    main()
