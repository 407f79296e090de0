"""A runner that goes where the network goes: it makes ready for what another proposes, and runs what is in force."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import ValidationError

from runner.applied import Applied, Proposal, Readiness
from runner.bus.away import AWAY
from runner.bus.bundles import Bundles
from runner.bus.questions import Questions
from runner.config.kept import Kept
from runner.endings import undone
from runner.errors import EnsembleNetworkError, InvalidNetwork, ReloadFailed, ServerFailed
from runner.host.applied import Configuration, configured, reading_of
from runner.host.ballot import BOUND_SECONDS
from runner.host.happenings import Configured, Notice, Watcher
from runner.host.pulse import Pulse
from runner.model import Network
from runner.subjects import Subjects
from runner.workspace import Workspace

WARM, COOL, GO = "warm", "cool", "go"
"""What a runner is asked: to make ready for a proposal, to give it up, and to go, since it is in force."""

LOOK_SECONDS = 2.0
"""How often a runner looks what is in force, beside being told."""

PATIENCE_SECONDS = BOUND_SECONDS + 5.0
"""How long a runner stays ready for a proposal of which it hears nothing more, while whoever proposed it lives."""

TURN_SECONDS = 5.0
"""How long a proposal waits while this runner is at another change: a proposal of its own, overtaken, ends at once."""

HEAR_SECONDS = 0.5
"""How often it is looked whether whoever proposed still lives."""

STOPPING = "it is stopping"

_log = logging.getLogger("runner.host")


class Applier(Protocol):
    """Whoever takes one runner from one configuration to the next."""

    async def apply(
        self, network: Network, read: Callable[[str], bytes], generation: int, commit: Callable[[], Awaitable[None]]
    ) -> object:
        """`commit` is awaited when everything is ready and nothing has changed; what it raises gives the change up.

        Raises ReloadFailed; then all is as it was.
        """
        ...


@dataclass(slots=True, eq=False)
class Part:
    """What this runner does for a proposal of another. `ready` holds None, or why not."""

    proposal: Proposal
    ready: asyncio.Future[str | None] = field(default_factory=asyncio.Future)
    verdict: asyncio.Future[bool] = field(default_factory=asyncio.Future)
    work: asyncio.Task[None] | None = None

    def decide(self, taken: bool) -> None:
        if not self.verdict.done():
            self.verdict.set_result(taken)

    def say(self, problem: str | None) -> None:
        if not self.ready.done():
            self.ready.set_result(problem)


class Following:
    """Of one runner, from `open` to `close`. `now` is what it runs; `one` change is under way at a time."""

    def __init__(
        self,
        now: Configuration,
        bundles: Bundles,
        workspace: Workspace,
        applier: Applier,
        watcher: Watcher,
        pulse: Pulse,
    ) -> None:
        self.now = now
        self.one = asyncio.Lock()
        self._bundles = bundles
        self._workspace = workspace
        self._applier = applier
        self._watcher = watcher
        self._kept = Kept()
        self._pulse = pulse
        self._closed = False
        self._part: Part | None = None
        self._look = asyncio.Event()
        self._works: set[asyncio.Task[None]] = set()
        self._failed = 0
        self._following: asyncio.Task[None] | None = None

    async def open(self, questions: Questions, subjects: Subjects, runner: str) -> None:
        """Take part in proposals, and follow what is in force, beginning with a look."""
        await questions.answer(subjects.control(runner, WARM), self._warm)
        await questions.answer(subjects.control(runner, COOL), self._cool)
        await questions.answer(subjects.control(runner, GO), self._go)
        await self._bundles.watch(self._look.set)
        self._look.set()
        self._following = asyncio.ensure_future(self._follow())

    async def close(self) -> None:
        """Nothing is under way any more."""
        self._closed = True
        await undone(*self._works, self._following)

    async def _warm(self, _: str, body: bytes) -> bytes | None:
        """Asked more than once, it is one piece of work."""
        try:
            proposal = Proposal.model_validate_json(body)
        except ValidationError:
            return None
        part = self._part
        if part is None or part.proposal.id != proposal.id:
            if self._closed:
                return Readiness(problem=STOPPING, stopping=True).encode()
            part = await self._begin(proposal)
        problem = await asyncio.shield(part.ready)
        return Readiness(problem=problem, stopping=problem == STOPPING).encode()

    async def _go(self, _: str, body: bytes) -> bytes:
        """The proposal is in force; answered when it runs here, or cannot."""
        part = self._part
        if part is not None and part.proposal.id == body.decode(errors="replace"):
            part.decide(True)
            if part.work is not None:
                await asyncio.wait((part.work,))
        return b"{}"

    async def _cool(self, _: str, body: bytes) -> bytes:
        """The proposal was given up."""
        part = self._part
        if part is not None and part.proposal.id == body.decode(errors="replace"):
            part.decide(False)
        return b"{}"

    async def _begin(self, proposal: Proposal) -> Part:
        before, part = self._part, Part(proposal)
        self._part = part
        self._pulse.mention(proposal.runner)
        if before is not None and not before.verdict.done():  # only one proposal stands at a time
            before.decide(await self._is_in_force(before.proposal.applied))
        given_up = before is not None and before.work is not None and not before.work.done()
        part.work = asyncio.ensure_future(self._take_part(part, None if given_up else TURN_SECONDS))
        self._works.add(part.work)
        part.work.add_done_callback(self._works.discard)
        return part

    async def _take_part(self, part: Part, patience: float | None) -> None:
        applied = part.proposal.applied

        async def commit() -> None:
            part.say(None)
            if not await self._decided(part):
                raise ReloadFailed("the proposal was given up")

        try:
            async with self._turn(patience):
                await self._apply(await self._read(applied), commit)
        except EnsembleNetworkError as problem:
            part.say(_told(problem))
        except Exception as problem:  # noqa: BLE001 - one piece of work: logged, and told to whoever proposed it
            _log.exception("a proposal could not be made ready for")
            part.say(f"it failed: {problem}")
        finally:
            part.say(STOPPING)
            self._look.set()

    @asynccontextmanager
    async def _turn(self, patience: float | None) -> AsyncIterator[None]:
        """The one change under way. Raises ReloadFailed where another is for longer than that many seconds."""
        try:
            async with asyncio.timeout(patience):
                await self.one.acquire()
        except TimeoutError:
            raise ReloadFailed("it is applying another change") from None
        try:
            yield
        finally:
            self.one.release()

    async def _decided(self, part: Part) -> bool:
        """Whether the proposal came into force; where nothing is heard of it any more, that says the record."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < give_up and self._pulse.alive(part.proposal.runner):
            with suppress(TimeoutError):
                async with asyncio.timeout(HEAR_SECONDS):
                    return await asyncio.shield(part.verdict)
        return await self._is_in_force(part.proposal.applied)

    async def _is_in_force(self, applied: Applied) -> bool:
        """Where that cannot be read now, it is found out later: whoever lags catches up."""
        try:
            current, _ = await self._bundles.current()
        except (ServerFailed, *AWAY):
            return False
        return _is(current, applied)

    async def level(self) -> None:
        """Run what is in force, where this runner does not and may by now.

        Raises ServerFailed, and what `AWAY` lists.
        """
        current, _ = await self._bundles.current()
        if current is not None and current.generation > self.now.applied.generation:
            self._failed = 0
            await self._go_with(current)

    async def _follow(self) -> None:
        while not self._closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._look.wait()
            self._look.clear()
            try:
                current, _ = await self._bundles.current()
                if current is not None:
                    await self._go_with(current)
            except (ServerFailed, *AWAY) as problem:
                _log.debug("what is in force could not be looked at: %s", problem)

    async def _go_with(self, current: Applied) -> None:
        part = self._part
        if part is not None and part.work is not None and not part.work.done():
            if current.generation < part.proposal.applied.generation:
                return
            part.decide(_is(current, part.proposal.applied))
            await asyncio.wait((part.work,))
        if current.generation > max(self.now.applied.generation, self._failed):
            async with self.one:
                if current.generation > self.now.applied.generation:
                    await self._catch_up(current)

    async def _catch_up(self, current: Applied) -> None:
        """Others went on without this runner. What it cannot run, it says once, and goes on with what it has."""
        try:
            await self._apply(await self._read(current), _at_once)
        except EnsembleNetworkError as problem:
            self._failed = current.generation
            self._watcher(
                Notice(
                    f"generation {current.generation} by {current.by} cannot be run here: {_told(problem)}; "
                    f"this runner still runs generation {self.now.applied.generation}"
                )
            )

    async def _read(self, applied: Applied) -> Configuration:
        """Raises InvalidNetwork, ServerFailed."""
        found = await self._bundles.load(applied.bundle, self.now.bundled.blobs)
        reading = reading_of(found, self._workspace, self._kept)
        self._kept = reading.kept
        return configured(reading, found, applied)

    async def _apply(self, configuration: Configuration, commit: Callable[[], Awaitable[None]]) -> None:
        read, number = configuration.code(self._workspace), configuration.applied.generation
        await self._applier.apply(configuration.network, read, number, commit)
        self.now = configuration
        self._watcher(Configured(configuration.network, configuration.applied, own=False))
        self._watcher(Notice(f"generation {number} by {configuration.applied.by} runs here now"))


async def _at_once() -> None:
    """It is in force already."""


def _is(current: Applied | None, proposed: Applied) -> bool:
    return current == proposed


def _told(problem: EnsembleNetworkError) -> str:
    if isinstance(problem, InvalidNetwork) and problem.diagnostics:
        first = problem.diagnostics[0]
        return f"{first.span.file}:{first.span.line}: {first.message}"
    return problem.message
