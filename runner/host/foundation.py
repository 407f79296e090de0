"""What ensembles stand on: the runner's own connection, the streams and buckets of the network, catalog and desk."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from runner.bus.away import AWAY
from runner.bus.backlog import Backlog
from runner.bus.connection import Connection, connect
from runner.bus.deliveries import Outbox, ensure_deliveries
from runner.bus.facts import version_of
from runner.bus.known import KnownKeys
from runner.bus.questions import Questions
from runner.bus.records import Bucket
from runner.bus.requeue import Requeue
from runner.bus.streams import ensure_network, ensure_queue
from runner.errors import ServerFailed
from runner.host.deliveries import Deliveries
from runner.host.inline_desk import InlineDesk, Moved
from runner.host.registry import Registry
from runner.host.server import Reach
from runner.model import Network
from runner.subjects import Subjects
from runner.work import CapabilityType

_log = logging.getLogger("runner.host")


@dataclass(slots=True, eq=False)
class Foundation:
    """Laid by `lay`, which also mends it whenever the server comes back; `close` before the server goes."""

    network: Network
    subjects: Subjects
    connection: Connection
    registry: Registry
    results: Bucket
    known: KnownKeys
    backlog: Backlog
    desk: InlineDesk

    async def lay(self) -> None:
        """Make, or bring up to date, every stream, consumer and bucket, and read what they hold.

        Raises ServerFailed.
        """
        await self._ensure()
        await asyncio.gather(self.known.open(), self.registry.open())
        await self._forget_the_dead()

    async def mend(self) -> None:
        """The server may have restarted: consumers live in its memory, and writes may have gone unheard."""
        self.known.reload()
        try:
            await self._ensure()
            await self.registry.reload()
        except (ServerFailed, *AWAY) as problem:
            _log.warning("the network could not be mended after a reconnect: %s", problem)

    async def close(self) -> None:
        await self.known.close()
        await self.connection.close()

    async def _ensure(self) -> None:
        defaults = self.network.defaults
        await asyncio.gather(
            ensure_network(
                self.connection,
                self.subjects,
                events_kept=self.network.events_kept,
                results_kept=defaults.results_kept,
            ),
            ensure_deliveries(self.connection, self.subjects, kept=defaults.results_kept),
        )
        await asyncio.gather(*map(self._ensure_queue, sorted(self.network.ensembles)))

    async def _ensure_queue(self, name: str) -> None:
        ensemble = self.network.ensembles[name]
        if any(kind is CapabilityType.TASK for kind, _ in ensemble.shared().values()):
            await ensure_queue(self.connection, self.subjects, name, ensemble.capacity.queue_limit)

    async def _forget_the_dead(self) -> None:
        """Registrations of runners that no longer answer, such as one that was killed."""
        questions = Questions(self.connection, self.subjects)
        for runner in sorted(self.registry.runners()):
            if not await questions.ask(self.subjects.control(runner, "ping")):
                await self.registry.forget_runner(runner)


async def foundation(network: Network, reach: Reach, moved: Moved) -> Foundation:
    """Connect as the runner itself; nothing is made yet. Raises ServerFailed."""
    mending: list[Foundation] = []

    async def on_reconnect() -> None:
        for laid in mending:
            await laid.mend()

    connection = await connect(
        reach.urls, caller="_runner", credentials=reach.runner, on_reconnect=on_reconnect, echo=False
    )
    version_of(connection)
    subjects = Subjects(network.name)
    registry = Registry(Bucket(connection, subjects.bucket("capabilities")))
    results = Bucket(connection, subjects.bucket("results"))
    checkpoints = Bucket(connection, subjects.bucket("checkpoints"))
    known = KnownKeys(connection, results)
    backlog = Backlog(connection, subjects)
    deliveries = Deliveries(network.deliveries, Outbox(connection, subjects), results)
    desk = InlineDesk(results, checkpoints, known, registry, backlog, deliveries, Requeue(connection, subjects), moved)
    found = Foundation(network, subjects, connection, registry, results, known, backlog, desk)
    mending.append(found)
    return found
