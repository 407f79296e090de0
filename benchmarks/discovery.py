"""What a discovered tool call costs beside one of a named provider: both sides in one run, call by call in turns.

    python benchmarks/discovery.py [--calls 2000] [--providers 4]

static       a use that names its provider
first, …     uses that discover the same tool among several providers, one for each strategy
Caller and providers are two runners, processes of their own; the calls are made by a tool of the calling ensemble, one
after the other, in an order that is shuffled anew for each round of one call a use. Prints p50 and p99 in
microseconds, the ratio of the medians to the static one, and the load of the machine; exits with 1 where a ratio is
over 1.1.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from runner import connect
from runner.config.reading import read_network
from runner.host.runner import running
from runner.model import Selection
from runner.work import WorkResponse
from runner.workspace import Workspace

AT_MOST = 1.1
STATIC = "static"
WARM_UP = 200
PAYLOAD = "x" * 200

ECHO = """\
  echo-{number}:
    capacity: {{max_concurrent: 64}}
    tools: {{say: {{python: "bench:say", share: {{tags: [echo], cost: {number}}}}}}}
"""
MODULE = """\
import random
import time

import runner


async def say(text: str) -> str:
    return text


async def measure(uses: list, count: int, payload: str, context: runner.Context) -> dict:
    spans = {use: [] for use in uses}
    for _ in range(count):
        for use in random.sample(uses, len(uses)):
            began = time.perf_counter()
            await context.call(use, payload)
            spans[use].append((time.perf_counter() - began) * 1e6)
    return spans
"""


def network(providers: int) -> str:
    uses = [f"      {STATIC}: echo-1/say"]
    for select in Selection:
        key = ', key: "{{ input }}"' if select is Selection.AFFINITY else ""
        uses.append(f"      {select}: {{discover: say, tags: [echo], select: {select}{key}}}")
    text = "network: bench\nensembles:\n  desk:\n    uses:\n" + "\n".join(uses) + "\n"
    text += '    tools: {measure: {python: "bench:measure", share: true}}\n'
    return text + "".join(ECHO.format(number=number) for number in range(1, providers + 1))


async def serve(directory: Path, role: str) -> None:
    workspace = Workspace.of(directory / "network.yaml")
    found = read_network(workspace, "network.yaml", {}).network
    assert found is not None
    desk = frozenset({"desk"})
    only, without = (desk, frozenset()) if role == "caller" else (frozenset(), desk)
    async with running(found, workspace, join=role == "providers", only=only, without=without) as live:
        print("ready", flush=True)
        await live.wait_stopped()


@asynccontextmanager
async def served(directory: Path, role: str) -> AsyncIterator[None]:
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, __file__, "--serve", role, str(directory)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert (await asyncio.to_thread(process.stdout.readline)).strip() == "ready"
    try:
        yield
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)


async def measure(count: int, providers: int) -> bool:
    """Print what was measured. Whether every bound holds."""
    uses = [STATIC, *map(str, Selection)]
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        (directory / "network.yaml").write_text(network(providers))
        (directory / "bench.py").write_text(MODULE)
        async with (
            served(directory, "caller"),
            served(directory, "providers"),
            connect(directory / "network.yaml", name="bench") as client,
        ):
            for calls in (WARM_UP, count):
                asked = {"uses": uses, "count": calls, "payload": PAYLOAD}
                response = await client.call("desk/measure", asked)
                assert isinstance(response, WorkResponse)
                assert isinstance(response.result, dict), response
    return report(response.result)


def report(spans: dict[str, list[float]]) -> bool:
    named = statistics.median(spans[STATIC])
    print(f"{'':16} {'p50 µs':>8} {'p99 µs':>8} {'× static':>9}")
    hold = True
    for use, found in spans.items():
        ordered = sorted(found)
        middle, ratio = statistics.median(ordered), statistics.median(ordered) / named
        holds = ratio <= AT_MOST
        word = "" if use == STATIC else f" (at most {AT_MOST:g}: {'holds' if holds else 'DOES NOT HOLD'})"
        print(f"{use:16} {middle:8.0f} {ordered[int(len(ordered) * 0.99)]:8.0f} {ratio:9.3f}{word}")
        hold = hold and holds
    return hold


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=2000, help="through each use")
    parser.add_argument("--providers", type=int, default=4)
    parser.add_argument("--serve", nargs=2, metavar=("ROLE", "DIRECTORY"))
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(Path(options.serve[1]), options.serve[0]))
        return
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{os.cpu_count()} cores, load {load}; {options.calls} calls through each use, {options.providers} providers")
    if not asyncio.run(measure(options.calls, options.providers)):
        sys.exit(1)


if __name__ == "__main__":
    main()
