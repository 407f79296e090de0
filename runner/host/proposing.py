"""Applying a configuration to a network of several runners: all are ready, or nothing changes.

The proposer puts the files where everybody finds them, asks each live runner that hosts something to make ready, and
writes the record in force by compare-and-set once all have: the commit of a two-phase one (Gray, "Notes on Data Base
Operating Systems", 1978), in which nobody is blocked by a coordinator that dies, since what is in force is one record.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import TypeVar, assert_never

from runner.applied import Applied, Proposal, Readiness
from runner.bus.away import AWAY
from runner.bus.bundles import Bundles
from runner.bus.questions import Questions
from runner.endings import ended
from runner.errors import ReloadFailed, ServerFailed
from runner.host.applied import Configuration, Files
from runner.host.ballot import BOUND_SECONDS, Ready, Refused, Waiting, verdict
from runner.host.following import COOL, GO, WARM, Applier, Following
from runner.host.pulse import Pulse
from runner.subjects import Subjects

LOOK_SECONDS = 0.1
"""How often it is looked whether those who are waited for still live."""

ASK_AGAIN_SECONDS = 0.1
COOL_SECONDS = 0.5
GO_SECONDS = 1.0
"""How long it is waited for that all run what has come into force, before anybody is told that it is."""

CERTAIN_SECONDS = 5.0
"""How long a write whose answer was lost is tried again, and it is found out whether it was done."""

_T = TypeVar("_T")
CLAIMED = timedelta(seconds=3 * BOUND_SECONDS)


class Overtaken(ReloadFailed):
    """Somebody else applies a configuration, or has just done so."""


class Proposing:
    """Of one runner. Other runners take part through their Following."""

    def __init__(
        self,
        following: Following,
        bundles: Bundles,
        pulse: Pulse,
        questions: Questions,
        subjects: Subjects,
        applier: Applier,
    ) -> None:
        self._following = following
        self._bundles = bundles
        self._pulse = pulse
        self._questions = questions
        self._subjects = subjects
        self._applier = applier

    async def propose(self, files: Files) -> Configuration:
        """All live runners run these files when this returns, or are about to; what it was that is in force now.

        Files that are in force already change nothing. Raises ReloadFailed, naming who was not ready or who was
        first; then nothing has changed anywhere.
        """
        before = self._following.now.applied
        async with self._following.one:
            try:
                return await self._propose(files, before)
            except (ServerFailed, *AWAY) as problem:
                why = str(problem) or type(problem).__name__
                raise ReloadFailed(f"the server does not take part: {why}") from problem

    async def _propose(self, files: Files, before: Applied) -> Configuration:
        current, revision = await self._bundles.current()
        if current is not None and current.generation != before.generation:
            raise _overtaken(current)
        now = self._following.now
        if files.are(current):
            return now
        applied = files.after(current, files.changed(now.network, now.bundled))
        until = datetime.now(UTC) + CLAIMED
        proposal = Proposal(id=token_hex(8), runner=self._pulse.runner, applied=applied, until=until)
        async with self._claimed(proposal):
            await self._bundles.put_away(files.bundled, current)
            return await self._agree(files, proposal, revision)

    async def _agree(self, files: Files, proposal: Proposal, revision: int) -> Configuration:
        """The others are asked when this runner is ready: by then the server lets in whoever is new."""
        configuration = Configuration(files.network, files.bundled, proposal.applied, files.own, files.secrets)
        asked: dict[str, asyncio.Task[Readiness]] = {}

        async def commit() -> None:
            asked.update((one, asyncio.ensure_future(self._ask(one, proposal))) for one in sorted(self._others()))
            try:
                await self._ready(asked)
                await self._put_in_force(proposal.applied, revision)
            except BaseException:
                await self._give_up(asked, proposal)
                raise
            finally:
                await ended(*asked.values())

        read, number = configuration.code(files.workspace), proposal.applied.generation
        await self._applier.apply(files.network, read, number, commit)
        self._following.now = configuration
        await asyncio.gather(*(self._tell(runner, GO, proposal, GO_SECONDS) for runner in asked))
        return configuration

    async def _put_in_force(self, applied: Applied, revision: int) -> None:
        """Raises ReloadFailed where somebody was first."""

        async def put() -> None:
            if not await self._bundles.commit(applied, revision):
                current, _ = await self._bundles.current()
                if current != applied:  # else it was written by an attempt whose answer was lost
                    raise _overtaken(current)

        await _certain(put)

    async def _ready(self, asked: Mapping[str, asyncio.Task[Readiness]]) -> None:
        """Raises ReloadFailed naming who is not."""
        began = time.monotonic()
        while True:
            answers = {runner: answer.result() for runner, answer in asked.items() if answer.done()}
            said = {runner: answer.problem for runner, answer in answers.items()}
            stopping = {runner for runner, answer in answers.items() if answer.stopping}
            alive = {runner for runner in asked.keys() - stopping if self._pulse.alive(runner)}
            match verdict(asked.keys(), said, alive=alive, seconds=time.monotonic() - began):
                case Ready():
                    return
                case Refused(reasons):
                    raise ReloadFailed("; ".join(f"{self._named(runner)}: {why}" for runner, why in reasons))
                case Waiting(runners):
                    await asyncio.wait([asked[runner] for runner in runners], timeout=LOOK_SECONDS)
                case other:
                    assert_never(other)

    def _others(self) -> frozenset[str]:
        """The live runners that host something, beside this one."""
        return frozenset(r for r, beat in self._pulse.beats.items() if beat.ensembles) - {self._pulse.runner}

    async def _ask(self, runner: str, proposal: Proposal) -> Readiness:
        """Once it is ready, or knows why it is not. Asks for as long as nobody has given up."""
        while True:
            with suppress(*AWAY):
                subject = self._subjects.control(runner, WARM)
                answer = await self._questions.ask(subject, proposal.encode(), BOUND_SECONDS)
                if answer is not None:
                    return Readiness.model_validate_json(answer)
            await asyncio.sleep(ASK_AGAIN_SECONDS)

    async def _give_up(self, asked: Iterable[str], proposal: Proposal) -> None:
        """Whoever does not hear it finds out by itself, and so does whoever was asked just now."""
        await asyncio.gather(*(self._tell(runner, COOL, proposal, COOL_SECONDS) for runner in asked))

    async def _tell(self, runner: str, verb: str, proposal: Proposal, seconds: float) -> None:
        with suppress(*AWAY):
            await self._questions.ask(self._subjects.control(runner, verb), proposal.id.encode(), seconds)

    @asynccontextmanager
    async def _claimed(self, proposal: Proposal) -> AsyncIterator[None]:
        """Nobody else proposes meanwhile. Raises ReloadFailed where somebody does."""

        def is_void(other: Proposal) -> bool:
            mine = other.runner == self._pulse.runner
            return other.is_void(alive=not mine and self._pulse.alive(other.runner), now=datetime.now(UTC))

        claim = await _certain(lambda: self._bundles.claim(proposal, is_void))
        if isinstance(claim, Proposal):
            raise _overtaken(claim.applied)
        try:
            yield
        finally:
            with suppress(ServerFailed, *AWAY):
                await self._bundles.release(claim)

    def _named(self, runner: str) -> str:
        beat = self._pulse.beats.get(runner)
        return f"{runner} (pid {beat.pid} on {beat.host})" if beat is not None else runner


async def _certain(write: Callable[[], Awaitable[_T]]) -> _T:
    """Do a write by compare-and-set until its answer is heard: one that was done, or still may be, is found so.

    What was asked for before the server went may be written late: reading back what stands would not tell, the same
    write again does. Raises what `AWAY` lists where the server does not come back in time.
    """
    give_up = time.monotonic() + CERTAIN_SECONDS
    while True:
        try:
            return await write()
        except AWAY:
            if time.monotonic() > give_up:
                raise
            await asyncio.sleep(ASK_AGAIN_SECONDS)


def _overtaken(other: Applied | None) -> Overtaken:
    who = f"{other.by} applies generation {other.generation}" if other is not None else "somebody else applies"
    return Overtaken(f"{who} at the same time", hint="`run-network diff` shows what differs; then apply again")
