"""Asking a running network to plan, to apply files, or to go back to a generation: a runner does it, and tells."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from secrets import token_hex

from runner.bus.objects import Objects
from runner.bus.questions import Questions
from runner.client.generations import Generations
from runner.config.bundling import bundled
from runner.config.codes import Rule
from runner.config.lock import lock_name
from runner.config.reading import Reading, read_network
from runner.errors import EnsembleNetworkError, InvalidNetwork, NotRunning, ServerFailed, UsageProblem
from runner.package import packed
from runner.payload import Kind, PayloadProblem, PayloadsAway, Reference
from runner.plan.plan import generation_in
from runner.proposal import PROPOSE, ProposalAnswer, ProposalRequest
from runner.reports import AppliedReport
from runner.subjects import RUNNERS, Subjects
from runner.workspace import Workspace

PATIENCE_SECONDS = 60.0
"""Warming, asking the other runners and committing are bounded each; together by less than this."""

PACKAGE_KEPT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class _Sent:
    """The files of which hash are in a package, and until when whoever is asked still finds it, by `time.monotonic`."""

    hash: str
    package: Reference
    until: float


class Proposer:
    """Of one client. Methods raise NotRunning where nobody applies, and whatever keeps a runner from it."""

    def __init__(
        self,
        by: str,
        workspace: Workspace,
        generations: Generations,
        objects: Objects,
        questions: Questions,
        subjects: Subjects,
    ) -> None:
        self._by = by
        self._workspace = workspace
        self._generations = generations
        self._objects = objects
        self._questions = questions
        self._subjects = subjects
        self._sent: _Sent | None = None

    async def files(self, reading: Reading | None, *, applies: bool, plan: str | None = None) -> ProposalAnswer:
        """Plan, or apply, the files of a reading; without one those of the client's directory. Raises InvalidNetwork.

        A reference that is unset here is no obstacle: it counts what it stands for where the runner runs.
        """
        found = reading if reading is not None else await asyncio.to_thread(self._read)
        if any(d.code != Rule.UNSET_REFERENCE for d in found.errors):
            raise InvalidNetwork(found.errors, found.sources)
        applied = await self._generations.applied()
        _along_with_its_lock(found, applied)
        asked = ProposalRequest(
            id=token_hex(8),
            by=self._by,
            applies=applies,
            package=await self._package(found, applied),
            plan=_checked(plan),
            references=found.references.digests(applied.salt),
        )
        return await self._ask(asked, lambda: _sources(found))

    async def generation(self, number: int, *, applies: bool, plan: str | None = None) -> ProposalAnswer:
        """Plan, or apply, the files of a kept generation. Raises UnknownGeneration, InvalidNetwork."""
        asked = ProposalRequest(id=token_hex(8), by=self._by, applies=applies, generation=number, plan=_checked(plan))

        async def sources() -> dict[str, str]:
            kept = await self._generations.bundle(number)
            return {path: kept.read(path).decode(errors="replace") for path in kept.bundle.files}

        return await self._ask(asked, sources)

    def _read(self) -> Reading:
        workspace = self._workspace
        return read_network(workspace, workspace.file.name, workspace.environment())

    async def _package(self, reading: Reading, applied: AppliedReport) -> Reference:
        """Where the files are, put away for the runner; those that it was sent last need not go twice."""
        files, now = bundled(reading), time.monotonic()
        if self._sent is None or self._sent.hash != files.bundle.hash or self._sent.until < now:
            data = await asyncio.to_thread(packed, files, frozenset(applied.files.values()))
            name = f"proposal.{token_hex(16)}"
            try:
                sent = await self._objects.put(name, data, kind=Kind.UNSAID, kept=PACKAGE_KEPT)
            except PayloadProblem as problem:
                raise ServerFailed(problem.error.message, hint=problem.error.hint) from problem
            except PayloadsAway as away:
                raise NotRunning("the files cannot be put away: the server is away") from away
            self._sent = _Sent(files.bundle.hash, sent, now + PACKAGE_KEPT.total_seconds() - PATIENCE_SECONDS)
        return self._sent.package

    async def _ask(self, asked: ProposalRequest, sources: Callable[[], Awaitable[dict[str, str]]]) -> ProposalAnswer:
        subject, body = self._subjects.control(RUNNERS, PROPOSE), asked.model_dump_json(by_alias=True).encode()
        told = await self._questions.ask(subject, body, PATIENCE_SECONDS)
        if told is None:
            hint = "`run-network status` shows the runners, `run-network history` what is applied"
            raise NotRunning(f"no runner of {self._subjects.network} answers for what is applied", hint=hint)
        answer = ProposalAnswer.model_validate_json(told)
        if answer.error is None:
            return answer
        if answer.diagnostics:
            raise InvalidNetwork(answer.diagnostics, await sources())
        raise _problem(answer.error.code, answer.error.message, answer.error.hint)


async def _sources(reading: Reading) -> dict[str, str]:
    return dict(reading.sources)


def _checked(hash: str | None) -> str | None:
    if hash is not None and generation_in(hash) is None:
        raise UsageProblem(f"`{hash}` is the hash of no plan", hint="`run-network plan` ends with it, as in 3-5f1c0a9e")
    return hash


def _problem(code: str, message: str, hint: str | None) -> EnsembleNetworkError:
    """The error that the runner met, as the class of its code."""
    kind = next((kind for kind in _kinds(EnsembleNetworkError) if kind.code == code), None)
    if kind is None or kind is InvalidNetwork:
        return EnsembleNetworkError(message, hint=hint, code=code)
    return kind(message, hint=hint)


def _kinds(kind: type[EnsembleNetworkError]) -> Iterator[type[EnsembleNetworkError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


def _along_with_its_lock(found: Reading, applied: AppliedReport) -> None:
    """Where the network runs by its lock, that of these files goes along, and a runner holds them to it."""
    lock = lock_name(found.file)
    if lock_name(applied.file) in applied.files and found.content(lock) is None:
        hint = "write it with `run-network lock`; to run without one, bring the network up without `--locked`"
        raise UsageProblem(f"the network runs by its lock, and there is no {lock} here", hint=hint)
