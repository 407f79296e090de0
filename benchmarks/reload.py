"""How long from a save until it counts: of the hotel, and of networks of 10 and 100 ensembles, each in its own file.

    python benchmarks/reload.py [--saves 30] [--sizes 10,100]

The network is `run-network up --json` in a process of its own. A *live* save changes `max_concurrent` of one ensemble,
and counts when the runner says that it is applied. A *code* save changes what one tool returns, and counts when a call
of it returns that; calls follow each other without a pause, so their length is in the figure. Saves come one at a time.
The CPU share is that of the runner over IDLE_SECONDS in which nothing happens.

There is no `uvicorn --reload` beside it: uvicorn is no dependency of this package.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from runner import connect
from runner.client.network import NetworkClient

ROOT = Path(__file__).parents[1]
IDLE_SECONDS = 5.0
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Edited:
    """A network with the ensemble `bench`, whose files are edited."""

    name: str
    make: Callable[[Path], None]


def hotel(directory: Path) -> None:
    shutil.copy(ROOT / "network.yaml", directory)
    shutil.copytree(ROOT / "ensembles", directory / "ensembles")
    with (directory / "network.yaml").open("a") as stream:
        stream.write("  bench: ensembles/bench.yaml\n")
    (directory / "ensembles" / "bench.yaml").write_text(member("bench"))
    (directory / "ensembles" / "bench.py").write_text(answering(0))


def many(count: int) -> Callable[[Path], None]:
    def make(directory: Path) -> None:
        (directory / "ensembles").mkdir()
        names = [f"e{number}" for number in range(count - 1)] + ["bench"]
        for name in names:
            (directory / "ensembles" / f"{name}.yaml").write_text(member(name))
            (directory / "ensembles" / f"{name}.py").write_text(answering(0))
        lines = [f"  {name}: ensembles/{name}.yaml" for name in names]
        (directory / "network.yaml").write_text("\n".join(["network: many", "ensembles:", *lines, ""]))

    return make


def member(name: str, slots: int = 4) -> str:
    return (
        f"capacity: {{max_concurrent: {slots}}}\n"
        f'tools: {{answer-{name}: {{python: "{name}:answer", share: true}}}}\n'
        f"tasks: {{work-{name}: {{share: true, steps: [{{template: done}}]}}}}\n"
    )


def answering(number: int) -> str:
    return f"def answer() -> int:\n    return {number}\n"


class Runner:
    """`run-network up --json`, and the lines it prints."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self, kind: str) -> dict[str, object]:
        """The next line of a kind."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while text := await self.process.stdout.readline():
                said: dict[str, object] = json.loads(text)
                if said["type"] == kind:
                    return said
        raise SystemExit("run-network ended")

    def cpu_seconds(self) -> float:
        words = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def up(directory: Path) -> AsyncIterator[Runner]:
    arguments = [sys.executable, "-m", "runner", "up", "--json"]
    process = await asyncio.create_subprocess_exec(
        *arguments, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, limit=2**22
    )
    runner = Runner(process)
    try:
        await runner.line("ready")
        yield runner
    finally:
        process.terminate()
        await process.communicate()


async def live_saves(runner: Runner, directory: Path, saves: int) -> list[float]:
    took = []
    for number in range(saves):
        began = time.perf_counter()
        (directory / "ensembles" / "bench.yaml").write_text(member("bench", 5 + number))
        said = await runner.line("reload")
        took.append((time.perf_counter() - began) * 1000)
        if not said["ok"]:
            raise SystemExit(f"a save was refused: {said}")
    return took


async def code_saves(runner: Runner, client: NetworkClient, directory: Path, saves: int) -> list[float]:
    took = []
    for number in range(1, saves + 1):
        began = time.perf_counter()
        (directory / "ensembles" / "bench.py").write_text(answering(number))
        while (await client.call("bench/answer-bench", {})).result != number:
            if time.perf_counter() - began > PATIENCE_SECONDS:
                raise SystemExit("a save never counted")
        took.append((time.perf_counter() - began) * 1000)
        await runner.line("reload")
    return took


def told(what: str, took: list[float]) -> str:
    ranked = sorted(took)
    last = ranked[max(0, -(-len(ranked) * 99 // 100) - 1)]
    return f"{what:<28} p50 {statistics.median(took):6.0f} ms   p99 {last:6.0f} ms   of {len(took)} saves"


async def measure(network: Edited, saves: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        network.make(directory)
        async with up(directory) as runner, connect(directory / "network.yaml", name="bench") as client:
            await asyncio.sleep(1)
            before = runner.cpu_seconds()
            await asyncio.sleep(IDLE_SECONDS)
            idle = (runner.cpu_seconds() - before) / IDLE_SECONDS
            print(told(f"{network.name}, live", await live_saves(runner, directory, saves)))
            print(told(f"{network.name}, code", await code_saves(runner, client, directory, saves)))
            print(f"{network.name + ', idle':<28} {idle:.1%} of a core", flush=True)


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--saves", type=int, default=30)
    parser.add_argument("--sizes", default="10,100")
    asked = parser.parse_args()
    sizes = [int(size) for size in asked.sizes.split(",") if size]
    for network in [Edited("hotel", hotel), *(Edited(f"{size} ensembles", many(size)) for size in sizes)]:
        await measure(network, asked.saves)


if __name__ == "__main__":
    asyncio.run(main())
