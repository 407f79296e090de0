"""The queue under a load that is more than its slots take: who is next, how soon, and who of two replicas.

    python benchmarks/queueing.py [--backlog 5000] [--urgent 50] [--stream 1000] [--questions 1000] [--part asking]

urgent     a CRITICAL task against a backlog of LOW ones with four slots: from its submission to its start
order      two replicas of two slots each, and a stream of all four priorities that is more than they take: how many
           tasks of a priority start after one that came later (inversions), and how many each replica has
ageing     LOW tasks under HIGH ones that never let up: how many end, and when
asking     where a waiting task stands, asked by its id alone beside by caller and id, 32 at a time
Two runners are two processes on one nats-server. A task notes its start, in nanoseconds, in a file that all append to.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from runner.bus.caller import Caller, Durable
from runner.bus.connection import connect
from runner.bus.objects import Objects
from runner.bus.payloads import Payloads
from runner.bus.server import server_binary
from runner.config.reading import read_network
from runner.host.runner import running
from runner.reports import CALLERS
from runner.subjects import RUNNERS, Subjects
from runner.work import Priority, WorkRequest, new_trace
from runner.workspace import Workspace

NETWORK = """\
network: queue
defaults: {{ageing: {ageing}}}
ensembles:
  kitchen:
    capacity: {{max_concurrent: {slots}, queue_limit: 100000}}
    tasks:
      cook: {{share: true, steps: [{{python: "kitchen:cook"}}]}}
"""
MODULE = """\
import asyncio
import os
import time
from pathlib import Path

starts = (Path(__file__).parent.parent / "starts").open("a", buffering=1)


async def cook(context: str) -> None:
    number, seconds = context.split()
    starts.write(f"{number} {os.getpid()} {time.time_ns()}\\n")
    await asyncio.sleep(float(seconds))
"""
CRITICAL, HIGH, NORMAL, LOW = Priority
Ask = Callable[[str], Awaitable[None]]
MAX_PAYLOAD = 64 * 1024**2


@dataclass(frozen=True, slots=True)
class Start:
    number: int
    replica: str
    at: int


@dataclass(slots=True)
class Bench:
    """A server and runners on it; `submit` numbers the tasks as they become durable."""

    directory: Path
    url: str
    caller: Caller
    submitted: list[tuple[Priority, int]]

    async def submit(self, priority: Priority, seconds: float) -> int:
        number = len(self.submitted)
        self.submitted.append((priority, time.time_ns()))
        request = WorkRequest(
            request_id=f"r{number}",
            caller="_client-bench",
            task="cook",
            context=f"{number} {seconds}",
            priority=priority,
            deadline=timedelta(hours=1),
            trace_context=new_trace(),
            submitted_at=datetime.now(UTC),
        )
        assert isinstance(await self.caller.submit("kitchen", request), Durable)
        return number

    def starts(self) -> list[Start]:
        lines = (self.directory / "starts").read_text().splitlines()
        found = (line.split() for line in lines)
        return sorted((Start(int(n), replica, int(at)) for n, replica, at in found), key=lambda start: start.at)

    async def started(self, numbers: set[int], seconds: float) -> bool:
        give_up = time.monotonic() + seconds
        while not numbers <= {start.number for start in self.starts()}:
            if time.monotonic() > give_up:
                return False
            await asyncio.sleep(0.05)
        return True


@contextmanager
def nats(directory: Path) -> Iterator[str]:
    ports = directory / "ports"
    ports.mkdir()
    where = ["-sd", str(directory / "store"), "--ports_file_dir", str(ports), "-l", str(directory / "log")]
    server = subprocess.Popen([str(server_binary()), "-js", "-a", "127.0.0.1", "-p", "-1", *where])
    try:
        while not (found := list(ports.glob("*.ports"))) or not (text := found[0].read_text()):
            time.sleep(0.01)
        yield text.split('"')[3]
    finally:
        server.terminate()
        server.wait()


@asynccontextmanager
async def bench(*, replicas: int, slots: int, ageing: str = "5m") -> AsyncIterator[Bench]:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "starts").touch()
        with nats(directory) as url:
            runners = [serve(directory / f"r{number}", url, slots, ageing) for number in range(replicas)]
            connection = await connect([url], caller="_client-bench", credentials=None)
            try:
                for runner in runners:
                    assert runner.stdout is not None
                    assert (await asyncio.to_thread(runner.stdout.readline)).strip() == "ready"
                subjects = Subjects("queue")
                objects = Objects(connection, subjects.bucket("payloads"))
                caller = Caller(
                    connection, subjects, "_client-bench", Payloads.over(objects, MAX_PAYLOAD, connection.max_payload)
                )
                await caller.open()
                yield Bench(directory, url, caller, [])
            finally:
                await connection.close()
                for runner in runners:
                    runner.kill()
                    runner.wait()


def serve(directory: Path, url: str, slots: int, ageing: str) -> subprocess.Popen[str]:
    directory.mkdir()
    (directory / "network.yaml").write_text(NETWORK.format(slots=slots, ageing=ageing))
    (directory / "kitchen.py").write_text(MODULE)
    command = [sys.executable, __file__, "--serve", str(directory), "--nats", url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def host(directory: Path, url: str) -> None:
    workspace = Workspace.of(directory / "network.yaml")
    network = read_network(workspace, "network.yaml", {}).network
    assert network is not None
    async with running(network, workspace, nats=url):
        print("ready", flush=True)
        await asyncio.Event().wait()


async def urgent(backlog: int, count: int) -> None:
    service = 0.02
    async with bench(replicas=1, slots=4) as queue:
        await flood(queue, backlog, service)
        asked = set()
        for _ in range(count):
            asked.add(await queue.submit(CRITICAL, service))
            await asyncio.sleep(random.uniform(0.05, 0.15))
        assert await queue.started(asked, 60)
        waits = sorted((s.at - queue.submitted[s.number][1]) / 1e6 for s in queue.starts() if s.number in asked)
        done = len(queue.starts()) - len(asked)
        assert done < backlog, "the backlog ran out: nothing was measured"
    percentile = statistics.quantiles(waits, n=100, method="inclusive")
    print(
        f"urgent     {count} CRITICAL against {backlog} LOW of {service * 1000:g} ms, 4 slots: "
        f"submission to start p50 {percentile[49]:.1f} ms, p99 {percentile[98]:.1f} ms ({done} LOW started meanwhile)"
    )


async def order(count: int) -> float:
    service = 0.02
    async with bench(replicas=2, slots=2) as queue:
        chance = random.Random(7)
        for _ in range(count):
            await queue.submit(chance.choice(list(Priority)), service * chance.uniform(0.5, 1.5))
            await asyncio.sleep(chance.expovariate(1 / (service / 5)))
        assert await queue.started(set(range(count)), 120)
        starts = queue.starts()
    inverted = inversions(starts, queue.submitted)
    shares = Counter(start.replica for start in starts)
    print(
        f"order      {count} tasks of four priorities, 2 replicas of 2 slots: {inverted} inversions "
        f"({inverted / count:.2%}), shares {' / '.join(str(share) for share in sorted(shares.values()))}"
    )
    return inverted / count


def inversions(starts: list[Start], submitted: list[tuple[Priority, int]]) -> int:
    """How many start after one of the same priority that came later."""
    latest: dict[Priority, int] = {}
    inverted = 0
    for start in starts:
        priority = submitted[start.number][0]
        inverted += start.number < latest.get(priority, -1)
        latest[priority] = max(start.number, latest.get(priority, -1))
    return inverted


async def ageing(count: int) -> None:
    service = 0.01
    async with bench(replicas=1, slots=4, ageing="1s") as queue:
        for _ in range(200):
            await queue.submit(HIGH, service)
        low = {await queue.submit(LOW, service) for _ in range(count)}
        began = time.time_ns()
        ended = asyncio.ensure_future(queue.started(low, 60))
        while not ended.done():
            await queue.submit(HIGH, service)
            await asyncio.sleep(service / 6)
        assert await ended, "LOW starved"
        starts = queue.starts()
        last = max(start.at for start in starts if start.number in low)
        high = sum(start.number not in low and began < start.at < last for start in starts)
    print(
        f"ageing     {count} of {count} LOW started within {(last - began) / 1e9:.1f} s under HIGH tasks that never "
        f"let up ({high} of them started meanwhile), ageing 1 s"
    )


async def asking(backlog: int, questions: int) -> None:
    async with bench(replicas=1, slots=1) as queue:
        await flood(queue, backlog, 3600)
        connection, subjects = queue.caller._connection, Subjects("queue")

        async def by_id(request_id: str) -> None:
            subject = subjects.control(RUNNERS, "callers")
            answer = await connection.request(subject, request_id.encode(), timeout=60)
            [caller] = CALLERS.validate_json(answer.data)
            await by_caller(request_id, caller)

        async def by_caller(request_id: str, caller: str = "_client-bench") -> None:
            standing = await queue.caller.standing(request_id, caller=caller)
            assert standing is not None
            assert standing.status == "PENDING"

        while await queue.caller.standing("r1") is None:  # noqa: ASYNC110 - busy with what came
            await asyncio.sleep(1)
        took: dict[str, list[float]] = {"caller and id": [], "id alone": []}
        for _ in range(3):
            took["caller and id"].append(await questioned(by_caller, backlog, questions))
            took["id alone"].append(await questioned(by_id, backlog, questions))
    known, bare = (statistics.median(seconds) for seconds in took.values())
    print(
        f"asking     {questions} questions with {backlog} waiting, 3 times: by caller and id {known:.2f} s, "
        f"by id alone {bare:.2f} s, ratio {bare / known:.2f}"
    )


async def questioned(ask: Ask, backlog: int, questions: int) -> float:
    """Seconds for so many questions about tasks all over the queue."""
    numbers = iter(range(questions))

    async def lane() -> None:
        for number in numbers:
            await ask(f"r{number * backlog // questions}")

    began = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(32)))
    return time.perf_counter() - began


async def flood(queue: Bench, count: int, seconds: float) -> None:
    numbers = iter(range(count))

    async def lane() -> None:
        for _ in numbers:
            await queue.submit(LOW, seconds)

    await asyncio.gather(*(lane() for _ in range(32)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--backlog", type=int, default=5000)
    parser.add_argument("--urgent", type=int, default=50)
    parser.add_argument("--stream", type=int, default=1000)
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--part", choices=("urgent", "order", "ageing", "asking"), help="only this")
    parser.add_argument("--serve", type=Path)
    parser.add_argument("--nats")
    options = parser.parse_args()
    if options.serve:
        asyncio.run(host(options.serve, options.nats))
        return
    inverted = 0.0
    if options.part in (None, "urgent"):
        asyncio.run(urgent(options.backlog, options.urgent))
    if options.part in (None, "order"):
        inverted = asyncio.run(order(options.stream))
    if options.part in (None, "ageing"):
        asyncio.run(ageing(20))
    if options.part in (None, "asking"):
        asyncio.run(asking(options.backlog, options.questions))
    sys.exit(inverted >= 0.01)


if __name__ == "__main__":
    main()
