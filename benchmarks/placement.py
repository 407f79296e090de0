"""What a process of its own costs: the same tool and task in both placements, and how soon a killed one is back.

    python -m benchmarks.placement [--rounds 5] [--calls 300] [--kills 5]

Both are measured in the same run, in turns, from the same client. Prints medians and the ratio. "cold start" is the
time until a network of so many ensembles is ready.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from runner.work import Status
from tests.support.networks import LiveNetwork, live

NETWORK = """\
network: bench
ensembles:
"""
ENSEMBLE = """\
  {name}:
    placement: {placement}
    tools: {{echo: {{python: "echo:echo", share: true}}, pid: {{python: "echo:pid", share: true}}}}
    tasks: {{work: {{share: true, steps: [{{python: "echo:echo"}}]}}}}
"""
MODULE = """\
import os


async def echo(text: str) -> str:
    return text


def pid(text: str) -> int:
    return os.getpid()
"""
PLACEMENTS = ("inline", "process")


def of(placement: str, count: int) -> str:
    return "".join(ENSEMBLE.format(name=f"{placement}-{number}", placement=placement) for number in range(count))


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return (time.perf_counter() - began) * 1e6


async def call(network: LiveNetwork, target: str) -> object:
    response = await network.client.call(target, "x", deadline=20)
    assert response.status is Status.COMPLETED, response
    return response.result


async def hops(directory: Path, rounds: int, calls: int) -> None:
    async with live(directory, NETWORK + "".join(of(placement, 1) for placement in PLACEMENTS), echo=MODULE) as network:
        for what in ("echo", "work"):
            spans: dict[str, list[float]] = {placement: [] for placement in PLACEMENTS}
            for _ in range(rounds):
                for placement, found in spans.items():
                    target = f"{placement}-0/{what}"
                    found += [await timed(partial(call, network, target)) for _ in range(calls)]
            inline, process = (statistics.median(spans[placement]) for placement in PLACEMENTS)
            kind = "tool" if what == "echo" else "task"
            print(f"{kind}: p50 {inline:.0f} µs inline, {process:.0f} µs in a process, {process / inline:.2f} ×")


async def kills(directory: Path, count: int) -> None:
    """How long from a kill until the next process answers."""
    async with live(directory, NETWORK + of("process", 1), echo=MODULE) as network:
        pauses = []
        for _ in range(count):
            before = await call(network, "process-0/pid")
            assert isinstance(before, int)
            os.kill(before, signal.SIGKILL)
            began = time.perf_counter()
            while True:
                response = await network.client.call("process-0/pid", "x", deadline=0.5)
                if response.status is Status.COMPLETED and response.result != before:
                    break
                await asyncio.sleep(0.01)
            pauses.append(time.perf_counter() - began)
            await asyncio.sleep(0.1)
        told = ", ".join(f"{pause:.2f}" for pause in pauses)
        print(f"killed, and answering again: {told} s (the pause before a restart doubles from 0.1 s)")


async def cold(directory: Path) -> None:
    for count in (1, 8):
        for placement in PLACEMENTS:
            place = directory / f"{placement}-{count}"
            place.mkdir()
            began = time.perf_counter()
            async with live(place, NETWORK + of(placement, count), echo=MODULE):
                print(f"cold start, {count} {placement}: {(time.perf_counter() - began) * 1000:.0f} ms")


async def measure(rounds: int, calls: int, count: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        for name in ("hops", "kills", "cold"):
            (Path(place) / name).mkdir()
        await hops(Path(place, "hops"), rounds, calls)
        await kills(Path(place, "kills"), count)
        await cold(Path(place, "cold"))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--kills", type=int, default=5)
    options = parser.parse_args()
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{os.cpu_count()} cores, load {load}")
    asyncio.run(measure(options.rounds, options.calls, options.kills))


if __name__ == "__main__":
    main()
