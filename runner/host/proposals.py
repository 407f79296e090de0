"""What clients ask to be planned or applied: the files of a directory, which travel here, or a kept generation.

The runner that would apply them makes the plan, with what references stand for where it runs: so that what `plan` shows
is what `apply` does. One runner answers, the owner of the embedded server or else the leader; the others keep silent.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from pydantic import ValidationError

from runner.applied import Applied
from runner.bundle import Bundled, digest
from runner.bus.away import AWAY
from runner.bus.bundles import Bundles
from runner.bus.events import Events
from runner.bus.objects import Objects
from runner.bus.questions import Questions
from runner.config.bundling import modules_of
from runner.endings import undone
from runner.errors import (
    EnsembleNetworkError,
    InvalidNetwork,
    PlanMoved,
    ReloadFailed,
    RestartNeeded,
    ServerFailed,
    UnknownGeneration,
    UsageProblem,
)
from runner.event import Event
from runner.functions.threads import DaemonThreads
from runner.host.applied import Configuration, Files
from runner.host.census import Census
from runner.host.following import Following
from runner.host.happenings import Reloaded, Watcher
from runner.host.proposing import Proposing
from runner.host.reload import RELOAD
from runner.model import Network
from runner.package import MAX_PACKAGE_BYTES, NoPackage, Unpacked, unpacked
from runner.payload import PayloadProblem, PayloadsAway, Reference
from runner.plan.actions import Drain, Stop, Update
from runner.plan.observed import Desired, Observed
from runner.plan.plan import Plan, Refusal, generation_in
from runner.plan.reconcile import reconcile
from runner.plan.report import report_of
from runner.plan.text import compact, refused, text
from runner.proposal import PROPOSE, ProposalAnswer, ProposalRequest
from runner.reports import ProblemReport
from runner.subjects import RUNNERS, Subjects
from runner.work import Status
from runner.workspace import OutsideDirectory, Workspace

LOOK_SECONDS = 10.0
"""How long reading and comparing may take."""

REMEMBERED = 64
"""Proposals of which it is known what became of them: who hears no answer asks again."""

_T = TypeVar("_T")
_log = logging.getLogger("runner.host")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What would be done from `now` on."""

    now: Configuration
    files: Files
    plan: Plan


class Proposals:
    """Of one runner, from `serve` to `close`. `is_mine` tells whether what clients ask is this runner's to answer.

    `may` raises MissingPermissions where the server does not allow the way from one network to another.
    """

    def __init__(
        self,
        workspace: Workspace,
        following: Following,
        proposing: Proposing,
        bundles: Bundles,
        objects: Objects,
        census: Census,
        events: Events,
        watcher: Watcher,
        *,
        is_mine: Callable[[], bool],
        may: Callable[[Network, Network], Awaitable[None]],
    ) -> None:
        self._workspace = workspace
        self._following = following
        self._proposing = proposing
        self._bundles = bundles
        self._objects = objects
        self._census = census
        self._events = events
        self._watcher = watcher
        self._is_mine = is_mine
        self._may = may
        self._threads = DaemonThreads(2, "plan")
        self._known: OrderedDict[str, asyncio.Task[ProposalAnswer]] = OrderedDict()
        self._closed = False

    async def serve(self, questions: Questions, subjects: Subjects) -> None:
        await questions.answer(subjects.control(RUNNERS, PROPOSE), self._answer)

    async def close(self) -> None:
        """Nothing is under way any more; what was not in force yet is given up."""
        self._closed = True
        await undone(*self._known.values())
        self._threads.shutdown()

    async def _answer(self, _: str, body: bytes) -> bytes | None:
        """Asked more than once, it is one piece of work."""
        try:
            asked = ProposalRequest.model_validate_json(body)
        except ValidationError:
            return None
        work = self._known.get(asked.id)
        if work is None:
            if self._closed or not self._is_mine():
                return None
            work = self._known[asked.id] = asyncio.ensure_future(self._told(asked))
            while len(self._known) > REMEMBERED and next(iter(self._known.values())).done():
                self._known.popitem(last=False)
        return (await asyncio.shield(work)).model_dump_json(by_alias=True).encode()

    async def _told(self, asked: ProposalRequest) -> ProposalAnswer:
        try:
            wanted = await self._wanted(asked)
            return await self._applied(wanted, asked) if asked.applies and wanted.plan else self._shown(wanted, asked)
        except EnsembleNetworkError as problem:
            return self._refused(problem)
        except (TimeoutError, *AWAY) as problem:
            return self._refused(ReloadFailed(f"it took too long: {problem or 'the server or the disk'}"))
        except Exception as problem:  # noqa: BLE001 - one piece of work: logged, and told to whoever asked
            _log.exception("a proposal failed")
            return self._refused(ReloadFailed(f"{type(problem).__name__}: {problem}", hint=_OURS))

    async def _wanted(self, asked: ProposalRequest) -> _Wanted:
        """Raises what keeps it from being planned."""
        now, files = self._following.now, await self._files(asked)
        if asked.applies and (before := generation_in(asked.plan or "")) not in (None, now.applied.generation):
            raise _network_moved(now.applied, f"the plan was made from generation {before}")
        plan = await self._plan(now, files)
        if asked.plan is not None and plan.hash != asked.plan:
            raise _files_moved(asked.plan, plan)
        if plan:
            await self._may(now.network, files.network)
        return _Wanted(now, files, plan)

    async def _files(self, asked: ProposalRequest) -> Files:
        """Raises UnknownGeneration, InvalidNetwork, ServerFailed."""
        if asked.generation is not None:
            record = await self._bundles.generation(asked.generation)
            if record is None:
                kept = [record.generation for record in await self._bundles.history()]
                raise UnknownGeneration.of(asked.generation, kept)
            bundle = await self._bundles.load(record.bundle, self._following.now.bundled.blobs)
        elif asked.package is not None:
            came = await self._unpacked(asked.package)
            bundle = await self._bundles.load(came.bundle, {**self._following.now.bundled.blobs, **came.blobs})
        else:
            raise UsageProblem("a proposal names no files")
        own = await self._in_thread(partial(_is_own, bundle, self._workspace))
        files = await self._in_thread(partial(Files.kept, bundle, self._workspace))
        return replace(files, own=own, by=asked.by, restores=asked.generation)

    async def _unpacked(self, package: Reference) -> Unpacked:
        try:
            data = (await self._objects.load_payload(package, MAX_PACKAGE_BYTES)).data
            return await self._in_thread(partial(unpacked, bytes(data)))
        except PayloadsAway as away:
            raise TimeoutError(str(away)) from away
        except (PayloadProblem, NoPackage) as problem:
            raise ServerFailed(f"the files did not arrive: {problem}", hint="apply them again") from problem

    async def _plan(self, now: Configuration, files: Files) -> Plan:
        """With what is in flight and queued. Raises RestartNeeded."""
        match await self._in_thread(partial(_reconciled, now, files)):
            case Refusal() as refusal:
                raise RestartNeeded(refused(refusal), hint=refusal.hint)
            case Plan() as plan:
                kinds = (Update, Drain, Stop)
                touched = sorted({a.ensemble for a in plan.actions if isinstance(a, kinds) and a.ensemble})
                loads = await asyncio.gather(*map(self._census.load, touched))
                return plan.under(dict(zip(touched, loads, strict=True)))

    async def _applied(self, wanted: _Wanted, asked: ProposalRequest) -> ProposalAnswer:
        """Raises ReloadFailed; then nothing has changed anywhere."""
        began = time.perf_counter()
        if self._following.now is not wanted.now:
            raise _network_moved(self._following.now.applied, "that was while this plan was made")
        try:
            now = await self._proposing.propose(wanted.files)
        except EnsembleNetworkError as problem:
            self._tell(Status.FAILED, _since(began), f"{asked.by}: {problem.message}")
            raise
        milliseconds, plan = _since(began), wanted.plan
        generation, restores = now.applied.generation, asked.generation
        self._census.refused = None
        self._watcher(Reloaded(now.network, plan, generation, milliseconds, by=asked.by, restores=restores))
        changes = "; ".join(compact(plan).split("\n"))
        self._tell(Status.COMPLETED, milliseconds, f"generation {generation} by {asked.by}: {changes}")
        shown = self._shown(wanted, asked)
        return shown.model_copy(update={"generation": generation, "applied": True, "ms": milliseconds})

    def _shown(self, wanted: _Wanted, asked: ProposalRequest) -> ProposalAnswer:
        salt = wanted.now.applied.salt
        here = wanted.files.reading.references.digests(salt)
        differ = tuple(name for name, told in sorted(asked.references.items()) if here.get(name, told) != told)
        return ProposalAnswer(
            generation=wanted.now.applied.generation,
            plan=report_of(wanted.plan),
            text=text(wanted.plan),
            differ=differ,
        )

    def _refused(self, problem: EnsembleNetworkError) -> ProposalAnswer:
        return ProposalAnswer(
            generation=self._following.now.applied.generation,
            error=ProblemReport(code=problem.code, message=problem.message, hint=problem.hint),
            diagnostics=problem.diagnostics if isinstance(problem, InvalidNetwork) else (),
        )

    def _tell(self, status: Status, milliseconds: float, message: str) -> None:
        network, now = self._following.now.network.name, datetime.now(UTC)
        self._events.write(
            Event(kind=RELOAD, at=now, ensemble=network, status=status, duration_ms=milliseconds, message=message)
        )

    async def _in_thread(self, look: Callable[[], _T]) -> _T:
        async with asyncio.timeout(LOOK_SECONDS):
            return await asyncio.get_running_loop().run_in_executor(self._threads, look)


_OURS = "the log of the runner in .run-network/runner.log has the traceback: please report it"


def _reconciled(now: Configuration, files: Files) -> Plan | Refusal:
    generation, modules = now.applied.generation, modules_of(now.network, now.bundled)
    observed = Observed(generation, now.network, modules, secrets=now.secrets)
    return reconcile(observed, Desired(files.network, modules_of(files.network, files.bundled), files.secrets))


def _is_own(bundled: Bundled, workspace: Workspace) -> bool:
    """Whether the files are those of the runner's own directory too."""
    try:
        return all(digest(workspace.read(path)) == sha for path, sha in bundled.bundle.files.items())
    except (OSError, OutsideDirectory, ValueError):
        return False


def _network_moved(applied: Applied, how: str) -> PlanMoved:
    return PlanMoved(f"the live network has moved: generation {applied.generation} by {applied.by} runs, and {how}")


def _files_moved(wanted: str, plan: Plan) -> PlanMoved:
    if generation_in(wanted) is None:
        return PlanMoved(f"{wanted} is the hash of no plan")
    now = f"their plan is {plan.hash} now" if plan else "they are what runs"
    return PlanMoved(f"the files have moved: from generation {plan.generation} on {now}")


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000
