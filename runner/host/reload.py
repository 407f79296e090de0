"""Edit, save, running: a saved change is read, planned and applied, or refused whole and explained.

One at a time: what is saved meanwhile is looked at afterwards, together. The order within one is that of applying:
read → plan → grant → warm → commit → drain → revoke → record. Whatever fails before the commit changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from datetime import UTC, datetime

from runner.beat import RefusedSave
from runner.bus.away import AWAY
from runner.bus.events import Events
from runner.config.bundling import modules_of
from runner.config.reading import Reading, read_network
from runner.diagnostics import Diagnostic
from runner.endings import undone
from runner.errors import EnsembleNetworkError, InvalidNetwork, ReloadFailed, RestartNeeded
from runner.event import Event
from runner.host.applied import Configuration, Files, is_locked
from runner.host.census import Census
from runner.host.following import Following
from runner.host.happenings import Notice, Reloaded, ReloadRefused, Watcher
from runner.host.looking import Looking
from runner.host.proposing import Overtaken, Proposing
from runner.host.watch import Watch
from runner.plan.observed import Desired, Observed
from runner.plan.plan import Plan, Refusal
from runner.plan.reconcile import reconcile
from runner.plan.text import compact, refused
from runner.work import Status
from runner.workspace import Workspace, environment_of

RELOAD = "reload"
"""The kind of the events that tell of saved changes, in the name of the network."""

AWAY_SECONDS = 15.0
"""How long a server may be away before what was saved meanwhile is refused."""

AGAIN_SECONDS = 0.25
OWN_SECONDS = 0.1
"""How often it is looked whether the files have come to be this runner's to apply."""

MOST_LINES, LONGEST_LINE = 20, 500
"""Of what was refused, in `status`."""

_log = logging.getLogger("runner.host")


class Reloading:
    """Of one runner, from `open` to `close`. It acts while `owns`: others keep an eye on the files and say nothing.

    `secrets` are the texts that references brought into what runs: nothing that is told shows them.
    """

    def __init__(
        self,
        workspace: Workspace,
        following: Following,
        proposing: Proposing,
        census: Census,
        events: Events,
        watcher: Watcher,
        owns: Callable[[], bool],
        reading: Reading,
    ) -> None:
        self._workspace = workspace
        self._following = following
        self._proposing = proposing
        self._census = census
        self._events = events
        self._watcher = watcher
        self._owns = owns
        self._watch = Watch(workspace)
        self._secrets = reading.references.secrets
        self._kept = reading.kept
        self._gone = False
        self._closed = False
        self._one = asyncio.Lock()
        self._running: tuple[asyncio.Task[None], ...] = ()

    def open(self) -> None:
        """Look at the files, now, whenever one changes, and when they come to be this runner's to apply."""
        self._running = asyncio.ensure_future(self._run()), asyncio.ensure_future(self._take_over())

    async def close(self) -> None:
        """Nothing is applied any more."""
        self._closed = True
        await undone(*self._running)
        self._watch.close()

    @property
    def _now(self) -> Configuration:
        return self._following.now

    async def _run(self) -> None:
        try:
            async with aclosing(self._watch.changes()) as changes:
                async for _ in changes:
                    await self._look()
                    if self._closed:  # a cancellation was lost in there
                        break
        except (OSError, RuntimeError) as problem:  # the second is how watchfiles says that it failed
            self._watcher(Notice(f"the files are not watched any more: {problem}"))

    async def _take_over(self) -> None:
        """What was saved while whoever applied it was already gone is applied by who comes after."""
        if self._owns():
            return
        while not self._owns():  # noqa: ASYNC110 - the lock of a directory tells nobody that it is free
            await asyncio.sleep(OWN_SECONDS)
        if self._now.applied.bundle.file == self._workspace.file.name:
            await self._look()

    async def _look(self) -> None:
        async with self._one:
            before = self._census.refused
            await (self._reload() if self._owns() else self._note())
        if self._census.refused is not before:
            await self._census.tell()

    async def _note(self) -> None:
        """Another runner applies what changes here. This one only learns where to look, should it take over."""
        with suppress(EnsembleNetworkError, TimeoutError):
            await self._read()

    async def _reload(self) -> None:
        """What is saved is in force, or nothing of it is, and somebody is told why."""
        began = time.perf_counter()
        try:
            await self._apply(began)
        except InvalidNetwork as problem:
            if not self._is_gone():
                self._refuse(problem, _since(began))
        except EnsembleNetworkError as problem:
            self._refuse(problem, _since(began))
        except AWAY as problem:
            self._refuse(ReloadFailed(f"it took too long: {problem or 'the server or the disk'}"), _since(began))
        except Exception as problem:  # noqa: BLE001 - one plan step is a door: the next save is to be seen
            _log.exception("a reload failed")
            self._refuse(ReloadFailed(f"{type(problem).__name__}: {problem}", hint=_OURS), _since(began))

    async def _apply(self, began: float) -> None:
        """Where the server is away, it is tried again until it is back; where somebody else applies something, until
        that has come to nothing, as after a death. Raises what keeps the files from being applied.
        """
        overtaken: tuple[Overtaken, int] | None = None
        while True:
            try:
                await self._following.level()
                files = await self._read()
                if plan := await self._plan(files):
                    if overtaken is not None and overtaken[1] != self._now.applied.generation:
                        raise overtaken[0]
                    await self._proposing.propose(files)
                    self._secrets = files.reading.references.secrets
                    self._done(plan, _since(began))
                return
            except (ReloadFailed, *AWAY) as problem:
                if isinstance(problem, Overtaken):
                    overtaken = overtaken or (problem, self._now.applied.generation)
                    again = overtaken[1] == self._now.applied.generation
                else:
                    again = _is_away(problem)
                if not again or _since(began) > AWAY_SECONDS * 1000:
                    raise
                await asyncio.sleep(AGAIN_SECONDS)

    async def _read(self) -> Files:
        """What the directory says now. Raises InvalidNetwork."""

        def read(looking: Looking) -> Files | Reading:
            env = environment_of(looking.read)
            locked = is_locked(self._now.bundled.bundle)
            name = self._workspace.file.name
            found = read_network(looking, name, env, safe=looking, before=self._kept, locked=locked)
            self._kept = found.kept
            return found if found.network is None else Files.of(self._workspace, found.network, found)

        match await self._watch.look(read):
            case Files() as files:
                return files
            case Reading() as reading:
                raise InvalidNetwork(reading.errors, reading.sources)

    def _is_gone(self) -> bool:
        """Whether the network file was not there: an accident, or an editor in the middle of a save."""
        file = self._workspace.file.name
        gone = self._watch.looked.seen.get(file) is None and not self._workspace.file.exists()
        if gone and not self._gone:
            self._watcher(Notice(f"{file} is gone: the network goes on as it is, `run-network down` stops it"))
        self._gone = gone
        return gone

    async def _plan(self, files: Files) -> Plan | None:
        """What is to be done; None where there is nothing. Raises ReloadFailed for what takes a restart."""
        now = self._now
        if files.are(now.applied):
            self._settle(files)
            return None
        observed = await self._observed(now, files)
        desired = Desired(
            files.network, modules_of(files.network, files.bundled), files.reading.references.secrets | self._secrets
        )
        match await self._watch.in_thread(lambda: reconcile(observed, desired)):
            case Refusal() as refusal:
                raise RestartNeeded(refused(refusal), hint=refusal.hint)
            case Plan() as plan:
                if not plan:
                    self._watcher(Notice("saved: nothing that the network works by is different"))
                    self._settle(files)
                return plan

    async def _observed(self, now: Configuration, files: Files) -> Observed:
        leaving = sorted(now.network.ensembles.keys() - files.network.ensembles.keys())
        return Observed(
            now.applied.generation,
            now.network,
            modules_of(now.network, now.bundled),
            {name: await self._census.load(name) for name in leaving},
            self._secrets | now.secrets,
        )

    def _settle(self, files: Files) -> None:
        """The files are what runs."""
        self._secrets = files.reading.references.secrets
        if self._gone or self._census.refused is not None:
            self._watcher(Notice(f"the files are those of generation {self._now.applied.generation} again"))
        self._gone, self._census.refused = False, None

    def _done(self, plan: Plan, milliseconds: float) -> None:
        self._gone, self._census.refused = False, None
        now, generation = self._now, self._now.applied.generation
        self._watcher(Reloaded(now.network, plan, generation, milliseconds))
        self._tell(Status.COMPLETED, milliseconds, f"generation {generation}: " + "; ".join(compact(plan).split("\n")))

    def _refuse(self, problem: EnsembleNetworkError, milliseconds: float) -> None:
        self._gone = False
        generation = self._now.applied.generation
        lines = _lines(problem)
        self._census.refused = RefusedSave(generation=generation, at=datetime.now(UTC), diagnostics=_some(lines))
        self._watcher(ReloadRefused(problem, generation, milliseconds))
        self._tell(Status.FAILED, milliseconds, "; ".join(lines))

    def _tell(self, status: Status, milliseconds: float, message: str) -> None:
        network = self._now.network.name
        now = datetime.now(UTC)
        self._events.write(
            Event(kind=RELOAD, at=now, ensemble=network, status=status, duration_ms=milliseconds, message=message)
        )


_OURS = "the log of the runner in .run-network/runner.log has the traceback: please report it"


def _is_away(problem: BaseException) -> bool:
    """Whether it is the server's being away that keeps a change from being applied."""
    return isinstance(problem, AWAY) or isinstance(problem.__cause__, AWAY)


def _some(lines: tuple[str, ...]) -> tuple[str, ...]:
    """So many that each beat can carry them."""
    shown = tuple(line[:LONGEST_LINE] for line in lines[:MOST_LINES])
    more = len(lines) - len(shown)
    return (*shown, f"and {more} more: `run-network validate` lists them") if more else shown


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000


def _lines(problem: EnsembleNetworkError) -> tuple[str, ...]:
    if isinstance(problem, InvalidNetwork):
        return tuple(map(_line, problem.diagnostics))
    hint = f" (hint: {problem.hint})" if problem.hint else ""
    return (f"{'; '.join(line.strip() for line in problem.message.splitlines())}{hint}",)


def _line(diagnostic: Diagnostic) -> str:
    span = diagnostic.span
    hint = f" (hint: {diagnostic.hint})" if diagnostic.hint else ""
    place = f"{span.file}:{span.line}:{span.column}"
    return f"{place}: {diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}{hint}"
