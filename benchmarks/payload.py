"""What a large payload costs beside nats-py's own object store: both in one run, on one server, in turns.

    python benchmarks/payload.py [--rounds 3] [--sizes 1,10,60]

ours       client.call of a tool and of a task that give back what they get: the context is put away, fetched by the
           provider, and its result put away and fetched by the caller
nats-py    object_store().put and then get of as many bytes, twice over, by one client
The ensembles run in a process of their own; the server fsyncs every write for both. Prints the median in milliseconds,
the longest time for which either event loop stood still, and the most memory that either process took.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from nats import connect as nats_connect

from runner import connect
from runner.bus.keys import key_in
from runner.config.reading import read_network
from runner.host.runner import running
from runner.state import State
from runner.work import WorkResponse
from runner.workspace import Workspace

NETWORK = """\
network: bench
ensembles:
  echo:
    tools: {say: {python: "echo:say", share: true}}
    tasks: {work: {share: true, steps: [{tool: say}]}}
"""
MODULE = "async def say(text: str) -> str:\n    return text\n"
MEBIBYTE = 1024**2
TICK_SECONDS = 0.005


class Pauses:
    """Notes for how long the event loop stood still; `longest` in milliseconds since the last `take`."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def watch(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(TICK_SECONDS)
            self.longest = max(self.longest, (time.perf_counter() - began - TICK_SECONDS) * 1000)

    def take(self) -> float:
        longest, self.longest = self.longest, 0.0
        return longest


def memory() -> float:
    """The most that this process ever had in memory, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def serve(directory: Path) -> None:
    """Bring the ensembles up; a line on stdin is answered with this process's pauses and memory."""
    workspace = Workspace.of(directory / "network.yaml")
    network = read_network(workspace, "network.yaml", {}).network
    assert network is not None
    pauses = Pauses()
    watching = asyncio.ensure_future(pauses.watch())
    async with running(network, workspace):
        print("ready", flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps([pauses.take(), memory()]), flush=True)
    watching.cancel()


@asynccontextmanager
async def served(directory: Path) -> AsyncIterator[subprocess.Popen[str]]:
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, __file__, "--serve", str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert (await asyncio.to_thread(process.stdout.readline)).strip() == "ready"
    try:
        yield process
    finally:
        process.stdin.close()
        await asyncio.to_thread(process.wait)


async def asked(process: subprocess.Popen[str]) -> list[float]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    told: list[float] = json.loads(await asyncio.to_thread(process.stdout.readline))
    return told


async def timed(call: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await call()
    return (time.perf_counter() - began) * 1000


async def measure(directory: Path, sizes: list[int], rounds: int) -> None:
    (directory / "network.yaml").write_text(NETWORK)
    (directory / "echo.py").write_text(MODULE)
    pauses = Pauses()
    watching = asyncio.ensure_future(pauses.watch())
    async with served(directory) as process, connect(directory / "network.yaml", name="bench") as network:
        state = State(directory / ".run-network")
        found = state.running()
        assert found is not None
        raw = await nats_connect(list(found.url), nkeys_seed_str=key_in(state.keys / "runner.nk").seed)
        store = await raw.jetstream().create_object_store("raw")
        print(f"{'MiB':>4} {'':10} {'ms':>8} {'caller stood still, ms':>24} {'provider stood still, ms':>26}")
        for size in sizes:
            text = "x" * (size * MEBIBYTE - 2)

            async def raw_twice(data: bytes = text.encode()) -> None:
                for name in ("context", "result"):
                    await store.put(name, data)
                    assert len((await store.get(name)).data or b"") == len(data)

            async def ours(target: str, text: str = text) -> None:
                response = await network.call(target, text)
                assert isinstance(response, WorkResponse)
                assert response.result == text, response.error

            sides = {
                "nats-py": raw_twice,
                "tool": lambda call=ours: call("echo/say"),
                "task": lambda call=ours: call("echo/work"),
            }
            spans: dict[str, list[float]] = {name: [] for name in sides}
            still: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
            for _ in range(rounds):
                for name, call in sides.items():
                    await asyncio.sleep(0.1)
                    pauses.take()
                    await asked(process)
                    spans[name].append(await timed(call))
                    await asyncio.sleep(2 * TICK_SECONDS)
                    still[name].append((pauses.take(), (await asked(process))[0]))
            for name, values in spans.items():
                here, there = (max(each) for each in zip(*still[name], strict=True))
                shown = f"{there:26.0f}" if name != "nats-py" else f"{'':26}"
                print(f"{size:4} {name:10} {statistics.median(values):8.0f} {here:24.0f} {shown}")
        _, theirs = await asked(process)
        await raw.close()
    watching.cancel()
    print(f"most memory: caller {memory():.0f} MiB, with nats-py's copies; provider {theirs:.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", default="1,10,60", help="in MiB")
    parser.add_argument("--serve", metavar="DIRECTORY")
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(Path(options.serve)))
        return
    print(f"{os.cpu_count()} cores, {options.rounds} rounds")
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(measure(Path(place), [int(size) for size in options.sizes.split(",")], options.rounds))


if __name__ == "__main__":
    main()
