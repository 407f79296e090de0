"""How long from a save until it counts, beside the same edit of a Python app under `uvicorn --reload`.

    python benchmarks/reload.py [--saves 20] [--sizes 0,10,100,500] [--calls 0] [--no-uvicorn]

Size 0 is the hotel, with an ensemble more; the others are networks of so many ensembles, each in a file and with a
module of its own. The network is `run-network up --json` in a process of its own, and saves come one at a time:

* a *live* save changes `max_concurrent`, and counts when the runner says that it is in force
* a *words* save changes the description of a tool, and counts when the catalog has it, which is asked once the runner
  has said that it is in force
* a *code* save changes what a tool returns, and counts when a call of it returns that

The app has as many modules, of which one is edited: that counts when a request is answered with it. Calls and requests
follow each other without a pause, so that their length is in the figure. With `--calls N`, so many calls a second of
another ensemble go on meanwhile, and the figures of those are told: without saves, and while they are applied.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from runner import connect
from runner.client.network import NetworkClient

ROOT = Path(__file__).parents[1]
BOUNDS = {0: (150, 500), 500: (400, None)}
"""Milliseconds from a save until it counts, p50 and p99, by size."""

WORDS = "steak"
IDLE_SECONDS = 3.0
PATIENCE_SECONDS = 60.0
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@dataclass(frozen=True)
class Edited:
    """A network with the ensemble `bench`, whose files are edited, and `asked`, whose tool is called."""

    name: str
    size: int
    make: Callable[[Path], None]
    asked: str


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


def network_of(size: int) -> Edited:
    if size == 0:
        return Edited("hotel", 0, hotel, "kitchen/check-inventory")
    return Edited(f"{size} ensembles", size, many(size), "e0/answer-e0")


def member(name: str, slots: int = 4, words: str = "Answers.") -> str:
    return (
        f"capacity: {{max_concurrent: {slots}}}\n"
        f'tools: {{answer-{name}: {{python: "{name}:answer", description: {words}, share: true}}}}\n'
        f"tasks: {{work-{name}: {{share: true, steps: [{{template: done}}]}}}}\n"
    )


def answering(number: int) -> str:
    return f"def answer(text: str = '') -> int:\n    return {number}\n"


def app(directory: Path, size: int) -> None:
    """An ASGI app of so many modules, of which one is `bench`."""
    names = [f"e{number}" for number in range(size - 1)] + ["bench"]
    for name in names:
        (directory / f"{name}.py").write_text(answering(0))
    (directory / "app.py").write_text("\n".join(f"import {name}" for name in names) + APP)


APP = """

async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
        await send({"type": "http.response.body", "body": b"<%d>" % bench.answer()})
"""


class Runner:
    """`run-network up --json`, and the lines it prints."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.started_ms = 0.0

    async def line(self, kind: str) -> dict[str, object]:
        """The next line of a kind."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while text := await self.process.stdout.readline():
                said: dict[str, object] = json.loads(text)
                if said["type"] == kind:
                    return said
        raise SystemExit("run-network ended")

    async def applied(self) -> dict[str, object]:
        said = await self.line("reload")
        if not said["ok"]:
            raise SystemExit(f"a save was refused: {said}")
        return said

    def cpu_seconds(self) -> float:
        words = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def up(directory: Path) -> AsyncIterator[Runner]:
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "runner", "up", "--json"),
        cwd=directory,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        limit=2**24,
    )
    runner = Runner(process)
    try:
        await runner.line("ready")
        runner.started_ms = (time.perf_counter() - began) * 1000
        yield runner
    finally:
        process.terminate()
        await process.communicate()


@dataclass
class Saves:
    """Milliseconds until each save counted; `applying` is what the runner says of the time it took itself."""

    took: list[float] = field(default_factory=list)
    applying: list[float] = field(default_factory=list)

    async def time(self, save: Callable[[], object], runner: Runner, counts: Callable[[], Awaitable[None]]) -> None:
        began = time.perf_counter()
        save()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await counts()
        self.took.append((time.perf_counter() - began) * 1000)
        self.applying.append(float(str((await runner.applied())["ms"])))


async def live(runner: Runner, client: NetworkClient, directory: Path, saves: int) -> Saves:
    done, file = Saves(), directory / "ensembles" / "bench.yaml"
    for number in range(saves):
        began = time.perf_counter()
        file.write_text(member("bench", 5 + number))
        done.applying.append(float(str((await runner.applied())["ms"])))
        done.took.append((time.perf_counter() - began) * 1000)
    return done


async def words(runner: Runner, client: NetworkClient, directory: Path, saves: int) -> Saves:
    done = Saves()
    file = directory / "ensembles" / "bench.yaml"
    for number in range(saves):
        said = f"Answers with {number}."
        began = time.perf_counter()
        file.write_text(member("bench", words=said))
        done.applying.append(float(str((await runner.applied())["ms"])))
        while not any(c.description == said for c in await client.catalog(name="answer-bench")):
            pass
        done.took.append((time.perf_counter() - began) * 1000)
    return done


async def code(runner: Runner, client: NetworkClient, directory: Path, saves: int) -> Saves:
    done = Saves()
    for number in range(1, saves + 1):

        async def answered(number: int = number) -> None:
            while (await client.call("bench/answer-bench", {})).result != number:
                pass

        file, text = directory / "ensembles" / "bench.py", answering(number)
        await done.time(partial(file.write_text, text), runner, answered)
    return done


KINDS = {"live": live, "words": words, "code": code}


@asynccontextmanager
async def calling(client: NetworkClient, target: str, a_second: int) -> AsyncIterator[list[float]]:
    """So many calls a second meanwhile; what each took from when it was due."""
    took: list[float] = []

    async def call(due: float) -> None:
        response = await client.call(target, WORDS)
        if response.error is not None:
            raise SystemExit(f"a call failed: {response.error}")
        took.append((time.perf_counter() - due) * 1000)

    async def go_on() -> None:
        due = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            while True:
                due += 1 / a_second
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(call(due))

    going = asyncio.ensure_future(go_on()) if a_second else None
    try:
        yield took
    finally:
        if going is not None:
            going.cancel()
            await asyncio.wait((going,))


async def under_uvicorn(size: int, saves: int) -> list[float]:
    """The app is reloaded for each save of one of its modules."""
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        app(directory, size)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "uvicorn", "app:app", "--reload", "--port", str(port), "--log-level", "critical"),
            cwd=directory,
        )
        try:
            await answers(port, 0)
            took = []
            for number in range(1, saves + 1):
                await asyncio.sleep(0.3)  # it sees no save of the moment in which it begins to look
                began = time.perf_counter()
                (directory / "bench.py").write_text(answering(number))
                await answers(port, number)
                took.append((time.perf_counter() - began) * 1000)
            return took
        finally:
            process.terminate()
            await process.wait()


async def answers(port: int, number: int) -> None:
    """Return when a request is answered with this number."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while b"<%d>" % number not in await asked(port):
            pass


async def asked(port: int) -> bytes:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        await asyncio.sleep(0.01)
        return b""
    try:
        writer.write(b"GET / HTTP/1.1\r\nhost: bench\r\n\r\n")
        return await reader.read()
    except OSError:
        return b""
    finally:
        writer.close()


def p99(took: list[float]) -> float:
    ranked = sorted(took)
    return ranked[max(0, -(-len(ranked) * 99 // 100) - 1)]


def told(what: str, took: list[float], more: str = "") -> None:
    figures = f"p50 {statistics.median(took):6.0f} ms   p99 {p99(took):6.0f} ms   n {len(took):4}"
    print(f"{what:<28} {figures}   load {os.getloadavg()[0]:4.1f}{more}", flush=True)


def kept(network: Edited, took: list[float]) -> str:
    """Whether the bounds hold."""
    median, worst = BOUNDS.get(network.size, (None, None))
    held = (median is None or statistics.median(took) < median) and (worst is None or p99(took) < worst)
    if median is None:
        return ""
    wanted = f"p50 < {median}" + (f", p99 < {worst}" if worst else "")
    return f"   {wanted}: {'holds' if held else 'MISSED'}"


async def measure(network: Edited, saves: int, calls: int, uvicorn: bool) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        network.make(directory)
        async with up(directory) as runner, connect(directory / "network.yaml", name="bench") as client:
            print(f"{network.name}: up after {runner.started_ms:.0f} ms")
            await client.call(network.asked, WORDS)  # it knows from now on who offers what
            before = runner.cpu_seconds()
            async with calling(client, network.asked, calls) as quiet:
                await asyncio.sleep(IDLE_SECONDS)
            idle = (runner.cpu_seconds() - before) / IDLE_SECONDS
            medians = []
            async with calling(client, network.asked, calls) as busy:
                for name, kind in KINDS.items():
                    done = await kind(runner, client, directory, saves)
                    of_it = f"   applying {statistics.median(done.applying):.0f} ms"
                    told(f"  {name}", done.took, of_it + kept(network, done.took))
                    medians.append(statistics.median(done.took))
    if calls:
        told("  calls without saves", quiet, f"   longest {max(quiet):.0f} ms")
        told("  calls during saves", busy, f"   longest {max(busy):.0f} ms")
    else:
        print(f"  idle: {idle:.1%} of a core")
    if uvicorn:
        took = await under_uvicorn(network.size or 7, saves)
        told("  uvicorn --reload", took, f"   ratio to code {statistics.median(took) / medians[-1]:.1f} x")


def reloader() -> str | None:
    """What reloads beside, if anything does: uvicorn watches with watchfiles where that is installed, as here."""
    try:
        return f"uvicorn {version('uvicorn')} --reload, which watches with watchfiles {version('watchfiles')}"
    except PackageNotFoundError:
        return None


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--saves", type=int, default=20)
    parser.add_argument("--sizes", default="0,10,100,500")
    parser.add_argument("--calls", type=int, default=0)
    parser.add_argument("--no-uvicorn", action="store_true")
    options = parser.parse_args()
    beside = None if options.no_uvicorn else reloader()
    print(f"{os.cpu_count()} cores; beside it: {beside or 'nothing (`pip install --group bench` has uvicorn)'}")
    for size in map(int, options.sizes.split(",")):
        await measure(network_of(size), options.saves, options.calls, beside is not None)


if __name__ == "__main__":
    asyncio.run(main())
