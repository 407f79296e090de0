"""`run-network up`: bring the network up and show what happens in it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, assert_never

import typer
from pydantic import JsonValue

from runner.cli import detach, journal, output
from runner.cli.interrupts import Interrupts
from runner.cli.load import base_of, read, workspace_of
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, NetworkFile, Verbose, refuse_later
from runner.cli.render import events, reloading, rising
from runner.cli.render.graph.picture import Picture, picture
from runner.cli.render.style import visible
from runner.cli.session import complete
from runner.config.reading import Reading
from runner.config.suggest import did_you_mean
from runner.endings import ended
from runner.errors import UsageProblem
from runner.host.happenings import (
    Configured,
    EnsembleMoved,
    Happening,
    NetworkReady,
    Notice,
    Reloaded,
    ReloadRefused,
    ServerReady,
    Worked,
)
from runner.host.reload import RELOAD
from runner.host.runner import running
from runner.model import EmbeddedServer, Network
from runner.plan.actions import Drain
from runner.work import EnsembleState
from runner.workspace import Workspace


def run(
    file: NetworkFile = DEFAULT_FILE,
    only: Annotated[str | None, typer.Option(metavar="A,B", help="Host these ensembles only.")] = None,
    without: Annotated[str | None, typer.Option("--except", metavar="A,B", help="Host all but these.")] = None,
    detach_: Annotated[bool, typer.Option("--detach", "-d", help="Go to the background once it is up.")] = False,
    no_http: Annotated[bool, typer.Option("--no-http", help="No HTTP surface.")] = False,
    no_watch: Annotated[bool, typer.Option("--no-watch", help="Do not apply what is saved.")] = False,
    join: Annotated[bool, typer.Option("--join", help="Be one more runner of the network that runs here.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Apply what is saved, on a server of your own too.")] = False,
    locked: Annotated[
        bool, typer.Option("--locked", help="Hold discovered uses to `network.lock`, and refuse what drifted.")
    ] = False,
    http: Annotated[str | None, typer.Option("--http", hidden=True)] = None,
    profile: Annotated[str | None, typer.Option("--profile", hidden=True)] = None,
    ready_fd: Annotated[int | None, typer.Option("--ready-fd", hidden=True)] = None,
    as_json: AsJson = False,
    nats: Nats = None,
    verbose: Verbose = False,
) -> int:
    """Bring the network up, and print one line for everything that happens in it. Ctrl-C drains, twice forces.

    \b
      run-network                              ./network.yaml, on a NATS server of its own
      run-network up -f hotel/network.yaml
      run-network up --detach                  in the background; `run-network down` stops it
      run-network up --join --only kitchen     one more runner, on the server of the one that runs here
      run-network up --nats nats://nats:4222 --only kitchen,procurement
      run-network up --no-watch                what is saved waits for `run-network apply`
      run-network up --locked                  discovered uses come to what `run-network lock` wrote, or it refuses
    """
    refuse_later(http=http, profile=profile)
    workspace = workspace_of(file)
    network, reading = read(workspace, warn=True, locked=locked)
    _check(only, without, network, first=nats is None and not join)
    watches = _watches(network, nats, watch=watch, no_watch=no_watch)
    hosted = Hosted(_names(only), _names(without), nats, join, watches)
    if detach_:
        return _detached(
            workspace,
            _arguments(file, only, without, nats, join=join, watches=watches, locked=locked, as_json=as_json),
            alone=_alone(network, nats) and not join,
            as_json=as_json,
        )
    journal.keep(workspace)
    watcher = _announcing(_watcher(network, hosted, base_of(workspace), as_json), ready_fd)
    files = Files(workspace, network, reading)
    output.reserve()
    signals = Interrupts()
    with detach.telling(ready_fd):
        return complete(_serve(files, hosted, watcher, signals), signals)


@dataclass(frozen=True, slots=True)
class Hosted:
    """Which part of the network this runner hosts, and where."""

    only: frozenset[str]
    without: frozenset[str]
    nats: str | None
    join: bool
    watches: bool

    def count(self, network: Network) -> int:
        return len((self.only or network.ensembles.keys()) - self.without)


@dataclass(frozen=True, slots=True)
class Files:
    """The directory, and what was read there."""

    workspace: Workspace
    network: Network
    reading: Reading


async def _serve(files: Files, hosted: Hosted, watcher: Callable[[Happening], None], signals: Interrupts) -> int:
    """Host until asked to stop. While the network is coming up, the first signal gives up on that."""
    loop = asyncio.get_running_loop()
    came_up, stop = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(_host(files, hosted, watcher, came_up, stop))

    def give_up_or_drain() -> None:
        stop.set()
        if not came_up.is_set():
            serving.cancel()

    def on_first() -> None:
        output.shout("stopping: what is being worked on is finished first; Ctrl-C again forces")
        loop.call_soon_threadsafe(give_up_or_drain)

    signals.on_first = on_first
    try:
        await serving
    except asyncio.CancelledError:
        if signals.asked is None:
            raise
    output.talk("stopped")
    return signals.exit_code


async def _host(
    files: Files,
    hosted: Hosted,
    watcher: Callable[[Happening], None],
    came_up: asyncio.Event,
    stop: asyncio.Event,
) -> None:
    async with running(
        files.network,
        files.workspace,
        reading=files.reading,
        nats=hosted.nats,
        join=hosted.join,
        only=hosted.only,
        without=hosted.without,
        watch=hosted.watches,
        watcher=watcher,
    ) as live:
        came_up.set()
        _keep_what_is_there()
        over_network = asyncio.create_task(live.wait_stopped())
        by_signal = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([over_network, by_signal], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await ended(over_network, by_signal)


def _keep_what_is_there() -> None:
    """What the process has by now stays to its end: the collector looks only at what changes bring, and finds that."""
    gc.collect()
    gc.freeze()


@dataclass(slots=True)
class Lines:
    """Shows happenings to a person."""

    network: Network
    hosted: Hosted
    base: str
    colour: bool
    picture: Picture = field(init=False)
    reloads: bool = False
    """Whether what is saved is told here in full: then it need not be told as an event."""
    up: bool = False
    leaving: set[str] = field(default_factory=set)
    """Who is gone from the files, and finishes what it had in hand."""

    def __post_init__(self) -> None:
        self.picture = picture(self.network)

    def show(self, happening: Happening) -> None:
        match happening:
            case ServerReady():
                output.data(rising.server(happening, self.network.name))
            case Configured(network):
                self.network, self.picture = network, picture(network)
            case EnsembleMoved():
                if self._is_news(happening):
                    output.data(rising.ensemble(happening, self.picture, colour=self.colour))
            case NetworkReady(milliseconds):
                self.up = True
                count, watched = self.hosted.count(self.network), self.hosted.watches
                output.data(f"{rising.wiring(self.picture)}\n{rising.ready(count, milliseconds, watched=watched)}")
            case Notice(message):
                output.talk(visible(message))
            case Worked(event):
                if event.kind != RELOAD or not self.reloads:
                    output.data(events.line(event, colour=self.colour))
            case Reloaded(network, plan):
                self.network, self.picture, self.reloads = network, picture(network), True
                self.leaving |= {drain.ensemble for drain in plan.of(Drain) if drain.ensemble and drain.in_flight}
                output.data(reloading.applied(happening, colour=self.colour))
            case ReloadRefused():
                self.reloads = True
                output.data(reloading.refused(happening, self.base, colour=self.colour))
            case _:
                assert_never(happening)

    def _is_news(self, moved: EnsembleMoved) -> bool:
        """Of those that a change brings or takes, its block tells; what is left to say is when the last of it ended."""
        if not self.up or moved.ensemble in self.network.ensembles:
            return True
        ended = moved.state is EnsembleState.STOPPED and (moved.ensemble in self.leaving or bool(moved.detail))
        self.leaving.discard(moved.ensemble)
        return ended


def _watcher(network: Network, hosted: Hosted, base: str, as_json: bool) -> Callable[[Happening], None]:
    lines = Lines(network, hosted, base, output.coloured(output.stdout()))
    return _enduring(partial(json_lines, base=base) if as_json else lines.show)


def json_lines(happening: Happening, *, base: str = "") -> None:
    """Shows happenings to a program: one JSON document a line, told apart by `type`."""
    match happening:
        case ServerReady(url, embedded, version, ms, joined):
            place: dict[str, JsonValue] = {"url": url, "embedded": embedded, "joined": joined}
            output.line({"type": "server", **place, "version": version, "ms": ms})
        case Configured(_, applied, own):
            output.line(
                {"type": "configuration", "generation": applied.generation, "hash": applied.bundle.hash, "own": own}
            )
        case EnsembleMoved(ensemble, state, ms, detail):
            output.line({"type": "ensemble", "ensemble": ensemble, "state": state.value, "ms": ms, "detail": detail})
        case NetworkReady(milliseconds):
            output.line({"type": "ready", "ms": milliseconds})
        case Notice(message):
            output.talk(visible(message))
        case Worked(event):
            output.line({"type": "event", "event": output.plain(event, keep_none=False)})
        case Reloaded():
            output.line(reloading.applied_as_json(happening))
        case ReloadRefused():
            output.line(reloading.refused_as_json(happening, base))
        case _:
            assert_never(happening)


def _enduring(watcher: Callable[[Happening], None]) -> Callable[[Happening], None]:
    """The watcher, until stdout cannot be written to any more: the network goes on without."""
    deaf = False

    def watch(happening: Happening) -> None:
        nonlocal deaf
        if deaf and not isinstance(happening, Notice):
            return
        try:
            watcher(happening)
        except (BrokenPipeError, output.Unwritable):
            deaf = True
            output.talk("stdout cannot be written to: the network goes on and shows nothing more")

    return watch


def _announcing(watcher: Callable[[Happening], None], ready_fd: int | None) -> Callable[[Happening], None]:
    """The watcher, also telling whoever detached us once the network is ready."""

    def watch(happening: Happening) -> None:
        watcher(happening)
        if isinstance(happening, NetworkReady):
            detach.tell_ready(ready_fd)

    return watch


def _check(only: str | None, without: str | None, network: Network, *, first: bool) -> None:
    """Raises UsageProblem where nothing would be hosted, and for an ensemble that the network does not have.

    Whoever comes to a network that runs is told by that instead: it need not be what the file here says.
    """
    for option, listed in (("--only", only), ("--except", without)):
        names = _names(listed)
        if listed is not None and not names:
            raise UsageProblem(f"{option} names no ensemble")
        unknown = sorted(names - network.ensembles.keys())
        if unknown and first:
            hint = did_you_mean(unknown[0], network.ensembles.keys(), otherwise="`run-network graph` shows them")
            raise UsageProblem(f"{option}: there is no ensemble `{unknown[0]}`", hint=hint)
    if not (_names(only) or network.ensembles.keys()) - _names(without):
        raise UsageProblem("nothing left to host", hint="--except leaves out every ensemble that --only chooses")


def _names(listed: str | None) -> frozenset[str]:
    """The ensembles of an option."""
    return frozenset(filter(None, (name.strip() for name in (listed or "").split(","))))


def _alone(network: Network, nats: str | None) -> bool:
    """Whether this runner will be the one that holds the directory, with a server of its own."""
    return nats is None and isinstance(network.server, EmbeddedServer)


def _watches(network: Network, nats: str | None, *, watch: bool, no_watch: bool) -> bool:
    """On a server of its own a runner applies what is saved, unless told otherwise. Raises UsageProblem."""
    if watch and no_watch:
        raise UsageProblem("--watch and --no-watch at once", hint="say one of them")
    return watch or (not no_watch and _alone(network, nats))


def _detached(workspace: Workspace, arguments: Sequence[str], *, alone: bool, as_json: bool) -> int:
    up = detach.detached(workspace, arguments, alone=alone)
    if as_json:
        output.document({"pid": up.pid, "log": str(up.log)})
    else:
        output.talk(f"up (pid {up.pid}); its output is in {up.log}; `run-network down` stops it")
    return 0


def _arguments(
    file: str,
    only: str | None,
    without: str | None,
    nats: str | None,
    *,
    join: bool,
    watches: bool,
    locked: bool,
    as_json: bool,
) -> list[str]:
    """The command line of the background `up`."""
    given = {"--file": file, "--only": only, "--except": without, "--nats": nats}
    valued = [word for option, value in given.items() if value is not None for word in (option, value)]
    watching = "--watch" if watches else "--no-watch"
    flags = {"--join": join, "--locked": locked, "--json": as_json}
    return [*valued, watching, *(flag for flag, given in flags.items() if given)]
