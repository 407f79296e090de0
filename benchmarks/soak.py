"""Ten thousand tool calls and a thousand tasks through a network that runs: calls per second, and what memory it keeps.

    python benchmarks/soak.py [--tools 10000] [--tasks 1000] [--rounds 3]

The network is `run-network up` in a process of its own; tools are called with 64 in flight, tasks with 16. Every answer
is compared with its question. Memory is the resident set of the runner and of its nats-server, after a warm-up and
after each round: flat means that it does not grow from round to round. tests/scenarios/test_soak.py holds the laws.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from runner import connect
from runner.client.network import NetworkClient
from runner.state import State
from runner.work import WorkResponse
from runner.workspace import Workspace

NETWORK = """\
network: soak
ensembles:
  echo:
    tools:
      say: {python: "echo:say", share: true}
    tasks:
      work: {share: true, steps: [{python: "echo:work"}]}
"""
MODULE = """\
from pathlib import Path

here = Path(__file__).parent
tools, tasks = (here / "tools").open("a", buffering=1), (here / "tasks").open("a", buffering=1)


async def say(text: str) -> str:
    tools.write(text + "\\n")
    return f"said {text}"


async def work(text: str) -> str:
    tasks.write(text + "\\n")
    return f"worked {text}"
"""
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Kind:
    """What is called, how it answers, how often and with how many in flight. `effects` is the file of its handler."""

    target: str
    answer: str
    count: int
    flight: int
    effects: str


TOOLS = Kind("echo/say", "said {}", 10_000, 64, "tools")
TASKS = Kind("echo/work", "worked {}", 1_000, 16, "tasks")


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident megabytes."""

    runner: float
    server: float


@dataclass(frozen=True, slots=True)
class Soaked:
    """A network that is up, in a directory, with a client of it."""

    directory: Path
    client: NetworkClient
    pid: int

    async def calls(self, kind: Kind, prefix: str, count: int | None = None) -> dict[str, object]:
        """Call with contexts of their own, so many in flight: what each was answered, or how it ended."""
        contexts = iter([f"{prefix}-{number}" for number in range(kind.count if count is None else count)])
        answers: dict[str, object] = {}

        async def lane() -> None:
            for context in contexts:
                response = await self.client.call(kind.target, context)
                assert isinstance(response, WorkResponse)
                answers[context] = response if response.error else response.result

        await asyncio.gather(*(lane() for _ in range(kind.flight)))
        return answers

    def effects(self, kind: Kind) -> list[str]:
        return (self.directory / kind.effects).read_text().splitlines()

    def memory(self) -> Memory:
        server = int((State(self.directory / ".run-network").directory / "nats-server.pid").read_text())
        return Memory(resident(self.pid), resident(server))


def resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@asynccontextmanager
async def soaked(directory: Path) -> AsyncIterator[Soaked]:
    """Bring the network up in a process, and down again."""
    (directory / "network.yaml").write_text(NETWORK)
    (directory / "echo.py").write_text(MODULE)
    with (directory / "out").open("wb") as out:
        process = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, "-m", "runner", "up", "-f", str(directory / "network.yaml"), "--no-http", "--no-watch"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        await ready(process, directory)
        async with connect(Workspace.of(directory / "network.yaml").file, name="soak") as client:
            yield Soaked(directory, client, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait)


async def ready(process: subprocess.Popen[bytes], directory: Path) -> None:
    give_up = time.monotonic() + START_SECONDS
    while "ready in" not in (said := (directory / "out").read_text()):
        if process.poll() is not None or time.monotonic() > give_up:
            raise SystemExit(f"the network did not come up: {said}")
        await asyncio.sleep(0.02)


async def measure(tools: int, tasks: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        async with soaked(Path(place)) as network:
            for kind in (TOOLS, TASKS):
                await network.calls(kind, "warm-up", kind.count // 10)
            print(f"{'':10} {'tools /s':>9} {'tasks /s':>9} {'runner MB':>10} {'server MB':>10}")
            show("warm-up", [], network.memory())
            for number in range(rounds):
                rates = [await rate(network, TOOLS, f"{number}", tools), await rate(network, TASKS, f"{number}", tasks)]
                show(f"round {number + 1}", rates, network.memory())
            pending = await network.client.requests("PENDING")
            if pending:
                raise SystemExit(f"{len(pending)} requests are still pending")


async def rate(network: Soaked, kind: Kind, prefix: str, count: int) -> float:
    """Calls per second. Ends the benchmark where an answer is wrong."""
    began = time.perf_counter()
    answers = await network.calls(kind, prefix, count)
    seconds = time.perf_counter() - began
    wrong = [f"{context}: {answer}" for context, answer in answers.items() if answer != kind.answer.format(context)]
    if wrong or len(answers) != count:
        raise SystemExit(f"{len(wrong)} of {count} calls of {kind.target} were not answered rightly: {wrong[:3]}")
    return count / seconds


def show(name: str, rates: list[float], memory: Memory) -> None:
    shown = [f"{value:9,.0f}" for value in rates] or [" " * 9] * 2
    print(f"{name:10} {' '.join(shown)} {memory.runner:10.1f} {memory.server:10.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tools", type=int, default=TOOLS.count)
    parser.add_argument("--tasks", type=int, default=TASKS.count)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(
        f"{os.cpu_count()} cores, {options.rounds} rounds of {options.tools:,} tool calls and {options.tasks:,} tasks"
    )
    asyncio.run(measure(options.tools, options.tasks, options.rounds))


if __name__ == "__main__":
    main()
