"""`run-network up`: bring the network up and show what happens in it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, assert_never

import typer

from runner.cli import detach, journal, output
from runner.cli.interrupts import Interrupts, interrupts
from runner.cli.load import network_of, workspace_of
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, NetworkFile, Verbose, refuse_later
from runner.cli.render import events, rising
from runner.cli.render.graph.picture import Picture, picture
from runner.cli.session import complete
from runner.errors import UsageProblem
from runner.host.happenings import EnsembleMoved, Happening, NetworkReady, Notice, ServerReady, Worked
from runner.host.runner import running
from runner.model import Network
from runner.workspace import Workspace


def run(
    file: NetworkFile = DEFAULT_FILE,
    only: Annotated[str | None, typer.Option(metavar="A,B", help="Host these ensembles only.")] = None,
    without: Annotated[str | None, typer.Option("--except", metavar="A,B", help="Host all but these.")] = None,
    detach_: Annotated[bool, typer.Option("--detach", "-d", help="Go to the background once it is up.")] = False,
    no_http: Annotated[bool, typer.Option("--no-http", help="No HTTP surface.")] = False,
    no_watch: Annotated[bool, typer.Option("--no-watch", help="Do not follow changes of the files.")] = False,
    join: Annotated[bool, typer.Option("--join", hidden=True)] = False,
    watch: Annotated[bool, typer.Option("--watch", hidden=True)] = False,
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
      run-network up --nats nats://nats:4222 --only kitchen,procurement
    """
    refuse_later(join=join, watch=watch, http=http, profile=profile)
    workspace = workspace_of(file)
    network = network_of(workspace, warn=True)
    hosted = Hosted(_names(only, network, "--only"), _names(without, network, "--except"), nats)
    if detach_:
        return detach.detached(workspace, _arguments(file, only, without, nats, as_json))
    journal.keep(workspace)
    drawn = picture(network)
    watcher = json_lines if as_json else Lines(drawn, network.name, colour=output.coloured(sys.stdout)).show
    return complete(_serve(network, workspace, hosted, _announcing(watcher, ready_fd)))


@dataclass(frozen=True, slots=True)
class Hosted:
    """Which part of the network this runner hosts, and where."""

    only: frozenset[str]
    without: frozenset[str]
    nats: str | None


async def _serve(network: Network, workspace: Workspace, hosted: Hosted, watcher: Callable[[Happening], None]) -> int:
    """Host until asked to stop. While the network is coming up, the first signal gives up on that."""
    serving: asyncio.Task[None] | None = None

    def give_up_or_drain() -> None:
        output.talk("stopping: what is being worked on is finished first; Ctrl-C again forces")
        if serving is not None and not came_up.is_set():
            serving.cancel()

    came_up = asyncio.Event()
    with interrupts(give_up_or_drain) as signals:
        serving = asyncio.create_task(_host(network, workspace, hosted, watcher, came_up, signals))
        try:
            await serving
        except asyncio.CancelledError:
            if signals.asked is None:
                raise
        return signals.exit_code


async def _host(
    network: Network,
    workspace: Workspace,
    hosted: Hosted,
    watcher: Callable[[Happening], None],
    came_up: asyncio.Event,
    signals: Interrupts,
) -> None:
    live_network = running(
        network, workspace, nats=hosted.nats, only=hosted.only, without=hosted.without, watcher=watcher
    )
    async with live_network as live:
        came_up.set()
        over_network = asyncio.create_task(live.wait_stopped())
        by_signal = asyncio.create_task(signals.stop.wait())
        try:
            await asyncio.wait([over_network, by_signal], return_when=asyncio.FIRST_COMPLETED)
        finally:
            over_network.cancel()
            by_signal.cancel()
            await asyncio.gather(over_network, by_signal, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Lines:
    """Shows happenings to a person."""

    picture: Picture
    network: str
    colour: bool

    def show(self, happening: Happening) -> None:
        match happening:
            case ServerReady():
                output.data(rising.server(happening, self.network))
            case EnsembleMoved():
                output.data(rising.ensemble(happening, self.picture, colour=self.colour))
            case NetworkReady(milliseconds):
                output.data(f"{rising.wiring(self.picture)}\n{rising.ready(self.picture, milliseconds)}")
            case Notice(message):
                output.talk(message)
            case Worked(event):
                output.data(events.line(event, colour=self.colour))
            case _:
                assert_never(happening)


def json_lines(happening: Happening) -> None:
    """Shows happenings to a program: one JSON document a line, told apart by `type`."""
    match happening:
        case ServerReady(url, embedded, version, milliseconds):
            output.line({"type": "server", "url": url, "embedded": embedded, "version": version, "ms": milliseconds})
        case EnsembleMoved(ensemble, state, milliseconds, detail):
            told = {"type": "ensemble", "ensemble": ensemble, "state": state.value, "ms": milliseconds}
            output.line({**told, "detail": detail})
        case NetworkReady(milliseconds):
            output.line({"type": "ready", "ms": milliseconds})
        case Notice(message):
            output.talk(message)
        case Worked(event):
            output.line({"type": "event", "event": output.plain(event, keep_none=False)})
        case _:
            assert_never(happening)


def _announcing(watcher: Callable[[Happening], None], ready_fd: int | None) -> Callable[[Happening], None]:
    """The watcher, also telling whoever detached us once the network is ready."""

    def watch(happening: Happening) -> None:
        watcher(happening)
        if isinstance(happening, NetworkReady):
            detach.tell_ready(ready_fd)

    return watch


def _names(listed: str | None, network: Network, option: str) -> frozenset[str]:
    """The ensembles of an option. Raises UsageProblem for one that the network does not have."""
    names = frozenset(filter(None, (name.strip() for name in (listed or "").split(","))))
    unknown = sorted(names - network.ensembles.keys())
    if unknown:
        known = ", ".join(sorted(network.ensembles))
        raise UsageProblem(f"{option}: there is no ensemble `{unknown[0]}`", hint=f"there are {known}")
    if listed is not None and not names:
        raise UsageProblem(f"{option} names no ensemble")
    return names


def _arguments(file: str, only: str | None, without: str | None, nats: str | None, as_json: bool) -> list[str]:
    """The command line of the background `up`."""
    given = {"--file": file, "--only": only, "--except": without, "--nats": nats}
    valued = [word for option, value in given.items() if value is not None for word in (option, value)]
    return [*valued, *(["--json"] if as_json else [])]
