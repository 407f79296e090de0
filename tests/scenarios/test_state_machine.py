"""FAULTS 17: any interleaving of submit, repeat, cancel, reload, crash, freeze, restart, killed server, deadline, end
of work. All runners watch the files, and propose what is saved at once.

Afterwards accepted = done + failed + pending; each request has one outcome, the first that anybody saw; what completed
had its effect; everybody who waited was told that outcome. Runners are processes that are killed, on a server that is
killed too. The suite plays a few fixed games; `STATE_MACHINE_EXAMPLES=200` plays as many new ones.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, nullcontext, suppress
from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from runner.bus.server import server_binary
from runner.client.connect import connect
from runner.errors import NotRunning, UsageProblem
from runner.work import Status, WorkResponse
from tests.support.networks import eventually, files_in
from tests.support.zygote import Zygote, zygote

EXAMPLES = int(os.environ.get("STATE_MACHINE_EXAMPLES", "0"))
RUNNERS = ("left", "right")
LOOK_SECONDS = 3.0
LONG, SHORT = 180.0, 0.4
"""Deadlines in seconds: of what is to be worked, and of what is to expire."""

SETTLE_SECONDS = 90.0
NETWORK = """\
network: inn
defaults: {max_attempts: 100}
ensembles:
  desk:
    uses: {cook: kitchen/cook}
    tasks: {order: {share: true, steps: [{id: meal, use: cook}, {template: "{{ steps.meal }}, served"}]}}
  kitchen:
    capacity: {max_concurrent: %(slots)d}
    tasks:
      cook: {share: true, steps: [{python: "inn:cook"}]}
      burn: {share: true, steps: [{python: "inn:burn"}]}
"""
SPA = "  spa: {tasks: {relax: {share: true, steps: [{template: ah}]}}}\n"
MODULE = """\
import asyncio
import os
import secrets
from pathlib import Path

import runner

here = Path(__file__).parent


def effect(text):
    with (here / "effects").open("a") as stream:
        stream.write(text + "\\n")


async def cook(text: str) -> str:
    with (here / "begun").open("a") as stream:
        stream.write(f"{os.getpid()}\\n")
    while text.startswith("held") and not ((here / f"release-{text}").exists() or (here / "release").exists()):
        await asyncio.sleep(0.01)
    effect(text)
    return f"{text} is {secrets.token_hex(4)}"


async def burn(text: str) -> str:
    effect(text)
    raise runner.Refused(f"{text} burnt as {secrets.token_hex(4)}")
"""
"""Every start has a result of its own, so that a second outcome shows."""


class Kind(Enum):
    """What is asked for, and how it may end when nobody cancels it."""

    QUICK = ("kitchen/cook", "quick", LONG, Status.COMPLETED)
    HELD = ("kitchen/cook", "held", LONG, Status.COMPLETED)
    DELEGATED = ("desk/order", "held", LONG, Status.COMPLETED)
    FAILING = ("kitchen/burn", "burnt", LONG, Status.FAILED)
    EXPIRING = ("kitchen/cook", "held-for-ever", SHORT, Status.EXPIRED)


@dataclass
class Asked:
    """One request: who waits for it, and the first outcome that anybody saw."""

    kind: Kind
    context: str
    callers: list[asyncio.Task[WorkResponse]] = field(default_factory=list)
    cancelled: bool = False
    seen: WorkResponse | None = None


Value = TypeVar("Value")


class Network(RuleBasedStateMachine):
    nursery: ClassVar[Zygote]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.asked: dict[str, Asked] = {}
        self.runners: dict[str, int] = {}
        self.frozen: set[str] = set()
        self.saves = 0
        self.slots, self.has_spa = 2, False

    def run(self, work: Coroutine[Any, Any, Value]) -> Value:
        return self.loop.run(work)

    @initialize()
    def come_up(self) -> None:
        self.run(self._come_up())

    async def _come_up(self) -> None:
        self.directory = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.workspace = files_in(self.directory, {"network.yaml": self._network(), "inn.py": MODULE, "effects": ""})
        self.port = -1
        await self._start_server()
        for name in RUNNERS:
            self._start(name)
        await eventually(lambda: all(map(self._is_ready, RUNNERS)), "both runners")
        self.client = await self.stack.enter_async_context(connect(self.workspace.file, nats=self.url, name="tester"))
        await self.client.catalog()

    async def _start_server(self) -> None:
        store = self.directory / "nats"
        store.mkdir(exist_ok=True)
        for old in store.glob("*.ports"):
            old.unlink()
        words = ("-a", "127.0.0.1", "-p", str(self.port), "--ports_file_dir", str(store), "-js", "-sd", str(store))
        with (self.directory / "nats.log").open("ab") as log:
            self.server = subprocess.Popen([str(server_binary()), *words], stdout=log, stderr=log)  # noqa: ASYNC220
        await eventually(lambda: any(ports.read_text().strip() for ports in store.glob("*.ports")), "a server")
        [ports] = store.glob("*.ports")
        [self.url] = json.loads(ports.read_text())["nats"]
        self.port = int(self.url.rpartition(":")[2])

    def _start(self, name: str) -> None:
        self.frozen.discard(name)
        (self.directory / f"{name}.ready").unlink(missing_ok=True)
        self.runners[name] = self.nursery.start(self.directory, self.url, name)

    def _is_ready(self, name: str) -> bool:
        return (self.directory / f"{name}.ready").exists()

    @rule(kind=st.sampled_from(Kind))
    def submit(self, kind: Kind) -> None:
        """A new request."""
        request_id = f"r{len(self.asked)}"
        self.asked[request_id] = Asked(kind, f"{kind.value[1]}-{request_id}")
        self.run(self._call(request_id))

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """The same request once more, by somebody else who waits."""
        self.run(self._call(data.draw(st.sampled_from(sorted(self.asked)))))

    async def _call(self, request_id: str) -> None:
        asked = self.asked[request_id]
        target, _, deadline, _ = asked.kind.value

        async def call() -> WorkResponse:
            response = await self.client.call(target, asked.context, request_id=request_id, deadline=deadline)
            assert isinstance(response, WorkResponse)
            return response

        asked.callers.append(asyncio.ensure_future(call()))
        await asyncio.sleep(0.02)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        request_id = data.draw(st.sampled_from(sorted(self.asked)))
        self.asked[request_id].cancelled = True
        self.run(self._cancel(request_id))

    async def _cancel(self, request_id: str) -> None:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self.client.cancel(f"_client-tester/{request_id}")
        except (NotRunning, UsageProblem, TimeoutError):
            pass  # nobody there to cancel it

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def look(self, data: st.DataObject) -> None:
        """See an outcome where there is one."""
        self.run(self._look(data.draw(st.sampled_from(sorted(self.asked)))))

    async def _look(self, request_id: str) -> None:
        asked = self.asked[request_id]
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                found = await self.client.result(f"_client-tester/{request_id}", wait=False)
        except (NotRunning, UsageProblem, TimeoutError):
            return
        if isinstance(found, WorkResponse):
            asked.seen = asked.seen or found
            assert found == asked.seen, "an outcome that was seen has changed"

    @precondition(lambda self: self.runners)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        """`kill -9` of a runner, wherever it is."""
        name = data.draw(st.sampled_from(sorted(self.runners)))
        pid = self.runners.pop(name)
        self.frozen.discard(name)
        os.kill(pid, signal.SIGKILL)
        self.run(eventually(lambda: not Path(f"/proc/{pid}").exists(), "the end of a runner"))

    @precondition(lambda self: self.runners.keys() - self.frozen)
    @rule(data=st.data())
    def freeze(self, data: st.DataObject) -> None:
        """A runner that is there and does nothing, until it is thawed or killed."""
        self._freeze(data.draw(st.sampled_from(sorted(self.runners.keys() - self.frozen))))

    def _freeze(self, name: str) -> None:
        self.frozen.add(name)
        os.kill(self.runners[name], signal.SIGSTOP)

    @precondition(lambda self: self.frozen)
    @rule()
    def thaw(self) -> None:
        for name in self.frozen & self.runners.keys():
            os.kill(self.runners[name], signal.SIGCONT)
        self.frozen.clear()

    @precondition(lambda self: len(self.runners) < len(RUNNERS))
    @rule(wait=st.booleans())
    def restart(self, wait: bool) -> None:
        name = next(name for name in RUNNERS if name not in self.runners)
        self._start(name)
        if wait and not self.frozen:
            self.run(eventually(lambda: self._is_ready(name), "a runner"))

    def _network(self) -> str:
        return NETWORK % {"slots": self.slots} + (SPA if self.has_spa else "")

    @rule(slots=st.integers(1, 4))
    def save_live(self, slots: int) -> None:
        self.slots = slots
        self._save("network.yaml", self._network())

    @rule()
    def save_code(self) -> None:
        self.saves += 1
        self._save("inn.py", f"{MODULE}# edited {self.saves} times\n")

    @rule()
    def save_ensemble(self) -> None:
        self.has_spa = not self.has_spa
        self._save("network.yaml", self._network())

    @precondition(lambda self: all(map(self._is_ready, self.runners)))  # who starts on nonsense says so and ends
    @rule()
    def save_nonsense(self) -> None:
        """And think better of it."""
        self._save("network.yaml", "network: [inn\n")
        self._save("network.yaml", self._network())

    def _save(self, name: str, text: str) -> None:
        draft = self.directory / "draft"
        draft.write_text(text)
        os.replace(draft, self.directory / name)
        self.run(asyncio.sleep(0.1))

    @rule()
    def kill_server(self) -> None:
        """`kill -9`, and up again on its port and store."""
        self.server.kill()
        self.server.wait()
        self.run(self._start_server())

    @precondition(lambda self: any(asked.kind in (Kind.HELD, Kind.DELEGATED) for asked in self.asked.values()))
    @rule(data=st.data())
    def finish_work(self, data: st.DataObject) -> None:
        held = sorted(a.context for a in self.asked.values() if a.kind in (Kind.HELD, Kind.DELEGATED))
        (self.directory / f"release-{data.draw(st.sampled_from(held))}").touch()
        self.run(asyncio.sleep(0.05))

    @invariant()
    def nobody_who_was_answered_was_told_two_things(self) -> None:
        for asked in self.asked.values():
            answers = [one.result() for one in asked.callers if one.done() and not is_late(one.result())]
            assert all(answer == answers[0] for answer in answers), answers

    def teardown(self) -> None:
        try:
            if hasattr(self, "client"):
                self.run(self._settle())
        finally:
            self.run(self._go_down())
            self.loop.close()

    async def _settle(self) -> None:
        """Everything up, every piece of work let go: then all is said."""
        self.thaw()
        for name in RUNNERS:
            if name not in self.runners:
                self._start(name)
        await asyncio.sleep(SHORT)
        (self.directory / "release").touch()
        callers = [caller for asked in self.asked.values() for caller in asked.callers]
        if callers:
            _, silent = await asyncio.wait(callers, timeout=SETTLE_SECONDS)
            assert not silent, f"{len(silent)} callers were never answered"
        give_up = time.monotonic() + SETTLE_SECONDS
        while await self._requests("PENDING"):
            assert time.monotonic() < give_up, f"pending for ever: {await self._requests('PENDING')}"
            await asyncio.sleep(0.05)
        await self._judge()

    async def _requests(self, state: str | None = None) -> dict[str, str]:
        """The status of every request of ours, by id."""
        while True:
            try:
                reports = await self.client.requests(state)
            except NotRunning:
                await asyncio.sleep(0.1)
            else:
                return {report.request_id: report.status for report in reports if report.caller == self.client.name}

    async def _judge(self) -> None:
        wanted = {name: sha256((self.directory / name).read_bytes()).hexdigest() for name in ("inn.py", "network.yaml")}
        await eventually(lambda: self._runs(wanted), "what was saved last is in force")
        statuses = await self._requests()
        assert statuses.keys() == self.asked.keys(), "accepted = done + failed, and nothing else is known"
        effects = set((self.directory / "effects").read_text().split())
        for request_id, asked in self.asked.items():
            recorded = await self.client.result(f"_client-tester/{request_id}")
            assert isinstance(recorded, WorkResponse)
            expected = {asked.kind.value[3], *([Status.CANCELLED] if asked.cancelled else [])}
            assert recorded.status in expected, f"{request_id}: {recorded}"
            assert asked.seen in (None, recorded), f"{request_id}: {asked.seen} was seen, {recorded} stands"
            for caller in asked.callers:
                assert caller.result() == recorded or is_late(caller.result()), f"{request_id}: {recorded}"
            if recorded.status is Status.COMPLETED:
                assert asked.context in effects, f"{request_id} completed without its effect"

    async def _runs(self, wanted: dict[str, str]) -> bool:
        return (await self.client.applied()).files == wanted

    async def _go_down(self) -> None:
        for log in sorted(self.directory.glob("*.log")) if hasattr(self, "directory") else ():
            print(f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-20:], sep="\n")
        callers = [caller for asked in self.asked.values() for caller in asked.callers]
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        for pid in self.runners.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if hasattr(self, "server"):
            self.server.kill()
            self.server.wait()
        await self.stack.aclose()


def is_late(answer: WorkResponse) -> bool:
    """The caller's own word, at its own deadline, that it stops waiting: no outcome."""
    return answer.status is Status.EXPIRED and answer.provider is None


@pytest.fixture
def nursery() -> Iterator[Zygote]:
    with zygote() as born:
        yield born


@pytest.mark.timeout(0)
def test_any_interleaving_leaves_one_outcome_a_request_and_none_lost(nursery: Zygote) -> None:
    Network.nursery = nursery
    run_state_machine_as_test(
        Network,
        settings=settings(
            max_examples=EXAMPLES or 6,
            stateful_step_count=25,
            derandomize=not EXAMPLES,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("options", [(), ("--overwriting",)], ids=["as it is", "where records are overwritten"])
def test_a_stale_workers_late_end_would_be_noticed(options: tuple[str, ...]) -> None:
    """The judge of the games above can find something: a game by hand, also on runners that write records over."""
    with zygote(*options) as born:
        Network.nursery = born
        game = Network()
        try:
            game.come_up()
            game.submit(Kind.HELD)
            [slow] = game.run(begun(game, 1))
            game._freeze(next(name for name, pid in game.runners.items() if pid == slow))
            game.run(begun(game, 2))
            (game.directory / "release").touch()
            game.run(asyncio.wait(game.asked["r0"].callers, timeout=SETTLE_SECONDS))[0].pop().result()
            game.thaw()
            game.run(eventually(lambda: len((game.directory / "effects").read_text().split()) == 2, "the late end"))
        except BaseException:
            game.run(game._go_down())
            raise
        with pytest.raises(AssertionError) if options else nullcontext():
            game.teardown()


async def begun(game: Network, starts: int) -> list[int]:
    """Which processes began the work, once there are so many."""
    path = game.directory / "begun"
    await eventually(lambda: path.exists() and len(path.read_text().split()) == starts, f"start {starts}")
    return list(map(int, path.read_text().split()))
