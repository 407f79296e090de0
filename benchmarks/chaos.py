"""`kill -9` of a random runner, or of the server, again and again, while tasks go on that last longer than the killing.

    python benchmarks/chaos.py [--kills 20] [--tasks 200] [--runners 2] [--placement inline] [--seed N]

With `--placement process` each ensemble has a process of its own, and these are killed as well.

Every runner is a `run-network up` of its own that is started again whenever it ends, as a supervisor would. Callers
wait for their answers, and have no code of their own for failures. Half of the tasks are begun before the first kill
and end only after the last; the others come all the while. Some delegate. At the end every outcome is looked up: exits
with 1 where a request was lost, failed, is still pending, was not answered, or has two outcomes.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from runner import connect
from runner.bus.server_config import ServerFiles
from runner.client.network import NetworkClient
from runner.reports import RequestReport
from runner.state import State
from runner.work import Status, WorkResponse

# A runner's death is not its task's fault, but nobody can tell: the bound for poison lies above the number of kills.
NETWORK = """\
network: chaos
defaults: {{deadline: 30m, max_attempts: {attempts}}}
ensembles:
  desk:
    placement: {placement}
    capacity: {{max_concurrent: {slots}}}
    uses: {{cook: kitchen/cook, roast: kitchen/roast}}
    tasks:
      order: {{share: true, steps: [{{use: cook}}, {{python: "chaos:pack"}}]}}
      feast: {{share: true, steps: [{{use: roast}}, {{python: "chaos:pack"}}]}}
  kitchen:
    placement: {placement}
    capacity: {{max_concurrent: {slots}}}
    tasks:
      cook: {{share: true, steps: [{{python: "chaos:cook"}}]}}
      roast: {{share: true, steps: [{{python: "chaos:roast"}}]}}
"""
MODULE = """\
import asyncio
import os
import secrets
from pathlib import Path

here = Path(__file__).parent


def begin(text: str) -> None:
    with (here / "begun").open("a") as stream:
        stream.write(text + "\\n")


async def cook(text: str) -> str:
    begin(text)
    await asyncio.sleep(0.05)
    return f"{text} cooked as {secrets.token_hex(4)}"


async def roast(text: str) -> str:
    begin(text)
    while not (here / "release").exists():
        await asyncio.sleep(0.05)
    return f"{text} roasted as {secrets.token_hex(4)}"


async def pack(text: str) -> str:
    return f"{text} packed as {secrets.token_hex(4)}"
"""
"""Every piece of work has a result that no other has: whoever sees two of one request has seen two outcomes."""

LONG, SHORT = ("kitchen/roast", "desk/feast"), ("desk/order", "kitchen/cook")
PAUSE_SECONDS = (0.3, 1.5)
"""Between two kills: sometimes the killed one is not up again."""

START_SECONDS, END_SECONDS = 60.0, 60.0


@dataclass(slots=True, eq=False)
class Kept:
    """One `run-network up`, started again whenever it ends, until it is stopped."""

    directory: Path
    name: str
    joins: bool
    process: asyncio.subprocess.Process | None = None
    stopping: bool = False

    async def keep(self) -> None:
        joining = False
        while not self.stopping:
            with (self.directory / f"{self.name}.out").open("ab") as out:
                self.process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "runner", "up", "-f", str(self.directory / "network.yaml")),
                    *("--no-http", "--no-watch", *(("--join",) if joining else ())),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                )
            if self.stopping:
                self.process.terminate()
            ended = await self.process.wait()
            if ended >= 0 or joining is not self.joins:  # refused: another one is, or nobody is, to be joined
                joining = self.joins and not joining
            await asyncio.sleep(0.05)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    async def kill(self) -> None:
        assert self.process is not None
        process = self.process
        process.kill()
        ended = await process.wait()
        assert ended == -signal.SIGKILL, f"{self.name} ended with {ended} before it could be killed"

    def stop(self) -> None:
        self.stopping = True
        if self.process is not None and self.alive:
            self.process.terminate()

    def said(self) -> str:
        return (self.directory / f"{self.name}.out").read_text(errors="replace")


@dataclass(slots=True)
class Tally:
    """What came of it. `accepted` counts what callers asked for; the requests that tasks sent on are `delegated`."""

    killed: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    done: int = 0
    failed: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    worked_again: int = 0
    lost: list[str] = field(default_factory=list)
    two_outcomes: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    delegated: int = 0

    @property
    def wrong(self) -> bool:
        return any((self.failed, self.pending, self.lost, self.two_outcomes, self.unanswered, self.refused))


@dataclass(slots=True, eq=False)
class Chaos:
    """A network under kills, a client of it, and what its callers were answered, by request id."""

    directory: Path
    client: NetworkClient
    runners: list[Kept]
    chance: random.Random
    answers: dict[str, WorkResponse] = field(default_factory=dict)
    killed: Counter[str] = field(default_factory=Counter)

    async def call(self, target: str, request_id: str) -> None:
        """One caller: it waits, and does nothing about failures."""
        response = await self.client.call(target, request_id, request_id=request_id)
        assert isinstance(response, WorkResponse)
        self.answers[request_id] = response

    async def kill_one(self) -> None:
        """Kill a live runner, the live server or a process of an ensemble, and see that it is dead."""
        while True:
            victim = self.chance.choice([*self.runners, None, *self._processes()])
            if isinstance(victim, int):
                os.kill(victim, signal.SIGKILL)
                self.killed["process"] += 1
                return
            if victim is not None and victim.alive:
                await victim.kill()
                self.killed["runner"] += 1
                return
            if victim is None and (pid := self._server()):
                os.kill(pid, signal.SIGKILL)
                await until(lambda: not lives(pid), "the end of nats-server")
                self.killed["server"] += 1
                return
            await asyncio.sleep(0.05)

    def _processes(self) -> list[int]:
        """Those that ensembles have to themselves."""
        return [
            pid for one in self.runners if one.alive and one.process is not None for pid in hosted_by(one.process.pid)
        ]

    def _server(self) -> int | None:
        try:
            pid = int(ServerFiles(State(self.directory / ".run-network").directory).pid.read_text())
        except (OSError, ValueError):
            return None
        return pid if lives(pid) else None

    def explain(self) -> None:
        """Tell what the runners said last, apart from events, and how the server came and went."""
        for one in self.runners:
            lines = [line for line in one.said().splitlines() if " from " not in line]
            print(f"--- {one.name}", *lines[-60:], sep="\n", file=sys.stderr)
        lines = ServerFiles(State(self.directory / ".run-network").directory).log.read_text().splitlines()
        print("--- nats-server", *[line for line in lines if "Listening" in line or "[ERR]" in line][-20:], sep="\n")

    async def tally(self, ids: list[str]) -> Tally:
        """Look up every request, by its record and by asking again."""
        reports = {(report.caller, report.request_id): report for report in await self.client.requests()}
        mine = {request_id: reports.get((self.client.name, request_id)) for request_id in ids}
        refused = [i for i, report in mine.items() if report is None and self._was_refused(i)]
        tally = Tally(killed=self.killed, accepted=len(ids) - len(refused), refused=refused)
        for request_id, report in mine.items():
            if report is None:
                tally.lost += [] if request_id in refused else [request_id]
                continue
            self._count(tally, request_id, report)
            if report.status != "PENDING":
                await self._compare(tally, request_id)
        tally.delegated = len(reports) - len(ids)
        for (caller, request_id), report in reports.items():
            if caller != self.client.name and report.status != Status.COMPLETED:
                self._count(tally, f"{caller}/{request_id}", report)
        begun = Counter((self.directory / "begun").read_text().splitlines())
        tally.worked_again = begun.total() - len(begun)
        return tally

    def _was_refused(self, request_id: str) -> bool:
        """Whether its caller was told that it was not accepted."""
        answer = self.answers.get(request_id)
        return answer is not None and answer.status is not Status.COMPLETED

    def _count(self, tally: Tally, request_id: str, report: RequestReport) -> None:
        match report.status:
            case "PENDING":
                tally.pending.append(request_id)
            case Status.COMPLETED:
                tally.done += 1
            case _:
                tally.failed.append(f"{request_id} {report.status}")

    async def _compare(self, tally: Tally, request_id: str) -> None:
        """The caller's answer, the record and the answer to a repeat are one."""
        recorded = await self.client.result(f"{self.client.name}/{request_id}")
        repeated = await self.client.call("kitchen/cook", "something else", request_id=request_id)
        answered = self.answers.get(request_id)
        if answered is None:
            tally.unanswered.append(request_id)
        elif not answered == recorded == repeated:
            tally.two_outcomes.append(f"{request_id}: answered {answered}, recorded {recorded}, repeated {repeated}")


def hosted_by(runner: int) -> list[int]:
    """The processes that a runner has for its ensembles."""
    try:
        found = [int(pid) for pid in Path(f"/proc/{runner}/task/{runner}/children").read_text().split()]
        return [pid for pid in found if b"runner.host.process.main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    except OSError:
        return []


def lives(pid: int) -> bool:
    """Whether the process runs; one that nobody has buried yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until(holds: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    give_up = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > give_up:
            raise SystemExit(f"waited {seconds:g} s for {what}")
        await asyncio.sleep(0.02)


@asynccontextmanager
async def chaotic(
    directory: Path, runners: int, kills: int, tasks: int, seed: int, placement: str = "inline"
) -> AsyncIterator[Chaos]:
    """Bring the network up on so many runners, and down again."""
    (directory / "network.yaml").write_text(NETWORK.format(slots=tasks, attempts=kills + 5, placement=placement))
    (directory / "chaos.py").write_text(MODULE)
    kept = [Kept(directory, f"runner-{number}", joins=runners > 1) for number in range(runners)]
    keeping: list[asyncio.Task[None]] = []
    try:
        for one in kept:
            keeping.append(asyncio.ensure_future(one.keep()))
            await until(lambda: one.process is not None and "ready in" in one.said(), f"{one.name} to come up")  # noqa: B023
        async with connect(directory / "network.yaml", name="chaos") as client:
            await client.catalog()
            yield Chaos(directory, client, kept, random.Random(seed))
    finally:
        for one in kept:
            one.stop()
        await asyncio.gather(*keeping)


async def killing(chaos: Chaos, kills: int, tasks: int) -> Tally:
    """All of it: long tasks first, kills and short tasks, the end of the long ones, and the count."""
    long = [f"long-{number}" for number in range(tasks // 2)]
    short = [f"short-{number}" for number in range(tasks - len(long))]
    calling = [asyncio.ensure_future(chaos.call(LONG[n % 2], request_id)) for n, request_id in enumerate(long)]
    begun = chaos.directory / "begun"
    await until(lambda: begun.exists() and len(set(begun.read_text().splitlines())) == len(long), "the long tasks")
    waiting = iter(enumerate(short))
    for kill in range(kills):
        for _ in range(len(short) // kills + (kill < len(short) % kills)):
            number, request_id = next(waiting)
            calling.append(asyncio.ensure_future(chaos.call(SHORT[number % 2], request_id)))
            await asyncio.sleep(0)
        await asyncio.sleep(chaos.chance.uniform(*PAUSE_SECONDS))
        await chaos.kill_one()
    assert chaos.killed.total() == kills
    assert not any(request_id in chaos.answers for request_id in long), "a long task ended before the killing did"
    (chaos.directory / "release").touch()
    _, late = await asyncio.wait(calling, timeout=END_SECONDS)
    for call in late:
        call.cancel()
    for call in calling:
        if call not in late:
            call.result()
    return await chaos.tally(long + short)


def show(tally: Tally, seconds: float) -> None:
    victims = ", ".join(f"{count} × {victim}" for victim, count in sorted(tally.killed.items()))
    print(f"killed        {tally.killed.total():6} ({victims})")
    print(f"accepted      {tally.accepted:6} (and {tally.delegated} that tasks delegated)")
    print(f"done          {tally.done:6}")
    for name in ("failed", "pending", "refused"):
        print(f"{name:13} {len(getattr(tally, name)):6}")
    print(f"worked again  {tally.worked_again:6}")
    for name in ("lost", "two outcomes", "unanswered"):
        print(f"{name:13} {len(getattr(tally, name.replace(' ', '_'))):6}")
    print(f"in {seconds:.0f} s")
    for name in ("failed", "pending", "refused", "lost", "two outcomes", "unanswered"):
        for what in getattr(tally, name.replace(" ", "_"))[:5]:
            print(f"{name}: {what}", file=sys.stderr)


async def measure(kills: int, tasks: int, runners: int, seed: int, placement: str) -> bool:
    """Print what came of it, and the end of what the runners said where that is not all well."""
    with tempfile.TemporaryDirectory() as place:
        began = time.monotonic()
        async with chaotic(Path(place), runners, kills, tasks, seed, placement) as chaos:
            well = False
            try:
                tally = await killing(chaos, kills, tasks)
                show(tally, time.monotonic() - began)
                well = not tally.wrong
            finally:
                if not well:
                    chaos.explain()
    return well


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--runners", type=int, default=2)
    parser.add_argument("--placement", choices=("inline", "process"), default="inline")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    logging.getLogger("runner.bus").setLevel(logging.ERROR)  # the client tells of every connection that it lost
    print(f"{options.kills} kills, {options.tasks} tasks, {options.runners} runners, seed {options.seed}", flush=True)
    if not asyncio.run(measure(options.kills, options.tasks, options.runners, options.seed, options.placement)):
        sys.exit(1)


if __name__ == "__main__":
    main()
