"""What a runner runs: its own files, where it is the first of its network, or what the others run already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from secrets import token_hex

from runner.applied import Applied
from runner.bundle import Bundle, Bundled, differing
from runner.bus.bundles import Bundles
from runner.bus.connection import connect
from runner.bus.questions import Questions
from runner.bus.streams import ensure_applied
from runner.config.bundling import bundled, changed
from runner.config.kept import NOTHING, Kept
from runner.config.lock import lock_name
from runner.config.reading import Reading, read_network
from runner.errors import InvalidNetwork
from runner.host.happenings import Notice, Watcher
from runner.host.reach import Reach
from runner.model import Network
from runner.subjects import RUNNERS, Subjects
from runner.who import who
from runner.workspace import Workspace

LIVE_SECONDS = 0.25
"""How long a start waits to hear whether the network has a runner."""

SHOWN = 3
"""How many files a notice names."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """A network, the files that it was read from, and the record of its being applied.

    `own` tells whether they are those of the runner's own directory.
    """

    network: Network
    bundled: Bundled
    applied: Applied
    own: bool = True
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    """The texts that its references stand for."""

    def code(self, workspace: Workspace) -> Callable[[str], bytes]:
        """Where modules are read from: the bundle, and behind it the runner's own directory where the files are those.

        That is for modules that code imports under a name which it computes.
        """
        if not self.own:
            return self.bundled.read

        def read(path: str) -> bytes:
            try:
                return self.bundled.read(path)
            except FileNotFoundError:
                return workspace.read(path)

        return read


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a network without errors, as they were read: a directory's `own`, or those of a generation.

    `by` is who has them applied, where that is not this process; `restores` the generation that they are from.
    """

    workspace: Workspace
    network: Network
    reading: Reading
    bundled: Bundled
    own: bool = True
    by: str = ""
    restores: int | None = None

    @classmethod
    def of(cls, workspace: Workspace, network: Network, reading: Reading | None = None) -> Files:
        """Those that the network was read from; without a reading they are read now."""
        if reading is None:
            reading = read_network(workspace, workspace.file.name, workspace.environment())
        return cls(workspace, network, reading, bundled(reading))

    @classmethod
    def kept(cls, bundle: Bundled, workspace: Workspace) -> Files:
        """Those of a generation, read with the environment and the secrets of a directory. Raises InvalidNetwork."""
        reading = reading_of(bundle, workspace)
        return cls(workspace, network_of(reading), reading, bundle, own=False)

    @property
    def secrets(self) -> frozenset[str]:
        """The texts that their references stand for."""
        return self.reading.references.secrets

    def are(self, applied: Applied | None) -> bool:
        """Whether they are applied already, and their references stand for what they stood for then."""
        if applied is None:
            return False
        return applied.is_same(self.bundled.bundle, self.reading.references.digest(applied.salt))

    def after(self, before: Applied | None, changed: tuple[str, ...]) -> Applied:
        """The record that puts them in force, by this process and now."""
        salt = before.salt if before is not None else token_hex(16)
        return Applied(
            generation=before.generation + 1 if before is not None else 1,
            bundle=self.bundled.bundle,
            by=self.by or who(),
            at=datetime.now(UTC),
            changed=changed,
            environment=self.reading.references.digest(salt),
            salt=salt,
            restores=self.restores,
        )

    def changed(self, network: Network, bundled: Bundled) -> tuple[str, ...]:
        """The ensembles that differ from those of a network that was read from these files."""
        return changed(network, bundled, self.network, self.bundled)


class Settling:
    """Finds out what is to run, once, before anything else is made on the server."""

    def __init__(self, files: Files, bundles: Bundles, watcher: Watcher) -> None:
        self._files = files
        self._bundles = bundles
        self._watcher = watcher

    async def own(self) -> Configuration:
        """The files of this directory, put in force. Somebody who does the same at the same time may be first."""
        files = self._files
        before, revision = await self._bundles.current()
        if before is not None and files.are(before):
            return Configuration(files.network, files.bundled, before, secrets=files.secrets)
        applied = files.after(before, await self._changed(before))
        await self._bundles.put_away(files.bundled, before)
        if await self._bundles.commit(applied, revision):
            return Configuration(files.network, files.bundled, applied, secrets=files.secrets)
        return await self.others()

    async def others(self) -> Configuration:
        """What is in force, read with the environment and the secrets of this directory; the own files where none is.

        Raises InvalidNetwork where it cannot be read so.
        """
        files = self._files
        applied, _ = await self._bundles.current()
        if applied is None:
            return await self.own()
        own = files.bundled
        if own.bundle.hash == applied.bundle.hash:
            return Configuration(files.network, own, applied, secrets=files.secrets)
        found = await self._bundles.load(applied.bundle, own.blobs)
        reading = reading_of(found, files.workspace)
        self._watcher(Notice(_differing(own, found, applied)))
        return configured(reading, found, applied)

    async def _changed(self, before: Applied | None) -> tuple[str, ...]:
        """The ensembles that differ from the generation before. Nobody's where that cannot be read any more."""
        if before is None:
            return tuple(sorted(self._files.network.ensembles))
        found = await self._bundles.load(before.bundle, self._files.bundled.blobs)
        earlier = reading_of(found, self._files.workspace).network
        return self._files.changed(earlier, found) if earlier is not None else ()


async def configuration_for(files: Files, reach: Reach, watcher: Watcher, *, owns: bool) -> Configuration:
    """What a runner of this directory is to run. Raises ServerFailed, InvalidNetwork.

    The owner of the embedded server applies its files, and so does the first runner on a server of somebody else's:
    anybody who comes to a network that runs follows what is in force there.
    """
    subjects = Subjects(files.network.name)
    connection = await connect(reach.urls, caller="_runner", credentials=reach.runner)
    try:
        await ensure_applied(connection, subjects)
        settling = Settling(files, Bundles(connection, subjects), watcher)
        questions = Questions(connection, subjects)
        if owns or not await questions.is_anybody(subjects.control(RUNNERS, "ping"), LIVE_SECONDS):
            return await settling.own()
        return await settling.others()
    finally:
        await connection.close()


def reading_of(found: Bundled, workspace: Workspace, before: Kept = NOTHING) -> Reading:
    """A bundle, read with the environment of a directory, and with the secrets in the files there."""
    locked, env = is_locked(found.bundle), workspace.environment()
    return read_network(found, found.bundle.file, env, safe=workspace, before=before, locked=locked)


def is_locked(bundle: Bundle) -> bool:
    """Whether the network was brought up with its lock, which is then one of its files."""
    return lock_name(bundle.file) in bundle.files


def configured(reading: Reading, found: Bundled, applied: Applied) -> Configuration:
    """What somebody else applied, as it was read here. Raises InvalidNetwork."""
    return Configuration(network_of(reading), found, applied, own=False, secrets=reading.references.secrets)


def network_of(reading: Reading) -> Network:
    """Raises InvalidNetwork."""
    if reading.network is None:
        raise InvalidNetwork(reading.errors, reading.sources)
    return reading.network


def _differing(own: Bundled, found: Bundled, applied: Applied) -> str:
    paths = differing(own.bundle, found.bundle)
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return (
        f"the network runs generation {applied.generation} by {applied.by}, and this runner with it: "
        f"the files here differ ({', '.join(paths[:SHOWN])}{more})"
    )
