"""What ensembles stand on: the runner's own connection, the streams and buckets of the network, catalog and desk."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial

from runner.bus.away import AWAY
from runner.bus.backlog import Backlog
from runner.bus.bundles import Bundles
from runner.bus.connection import Connection, connect
from runner.bus.deliveries import Outbox, delivery_streams, ensure_deliveries
from runner.bus.events import Events
from runner.bus.facts import version_of
from runner.bus.known import KnownKeys
from runner.bus.objects import Objects
from runner.bus.questions import Questions
from runner.bus.records import Bucket
from runner.bus.requeue import Requeue
from runner.bus.streams import (
    drop_empty,
    ensure_capabilities,
    ensure_consumers,
    ensure_network,
    ensure_queue,
    ensure_reserved,
    event_stream,
    payload_stream,
    queues_there,
)
from runner.errors import ServerFailed
from runner.host.contents import Contents
from runner.host.dead_letters import DeadLetters
from runner.host.deliveries import Deliveries
from runner.host.holders import Holders
from runner.host.inline_desk import InlineDesk, Moved
from runner.host.keepsakes import Keepsakes
from runner.host.leadership import Leadership
from runner.host.lookout import Lookout
from runner.host.pulse import Pulse
from runner.host.reach import Reach
from runner.host.registry import Registry
from runner.host.together import together
from runner.host.version import Generation, InForce
from runner.model import Network
from runner.subjects import Subjects

PING_SECONDS = 0.25
"""How long a start waits for a runner that is there and says nothing."""

MEND_SECONDS = 1.0
"""Between two attempts to make good what a server lost."""

_log = logging.getLogger("runner.host")


@dataclass(slots=True, eq=False)
class Foundation:
    """Laid by `lay`, which also mends it whenever the server comes back; `close` before the server goes."""

    in_force: InForce
    subjects: Subjects
    connection: Connection
    pulse: Pulse
    leadership: Leadership
    registry: Registry
    lookout: Lookout
    results: Bucket
    known: KnownKeys
    backlog: Backlog
    dead: DeadLetters
    bundles: Bundles
    events: Events
    desk: InlineDesk

    @property
    def network(self) -> Network:
        return self.in_force.network

    async def lay(self) -> None:
        """Make, or bring up to date, every stream, consumer and bucket, and read what they hold.

        Raises ServerFailed.
        """
        await asyncio.gather(self._ensure(), self.pulse.listen())
        await asyncio.gather(self.known.open(), self.registry.open())
        self.lookout.open()
        await self._forget_the_dead()

    async def clear(self) -> None:
        """Take away the queues that no ensemble has any more and in which nothing is. While nobody else is here: other
        runners would go on reading them.
        """
        left = self.in_force.left_queues()
        try:
            empty = await asyncio.gather(*(drop_empty(self.connection, self.subjects, name) for name in left))
        except (ServerFailed, *AWAY) as problem:
            _log.warning("queues of ensembles that are gone stay for now: %s", problem)
            return
        gone = {name for name, is_gone in zip(left, empty, strict=True) if is_gone}
        self.in_force.known_queues -= gone

    async def bring_to(self, generation: Generation) -> None:
        """Streams and queues as another generation needs them; none is taken away. Raises ServerFailed."""
        await self._bring(self.in_force.generation, generation)

    async def bring_back(self, generation: Generation) -> None:
        """As the generation in force needs them, after `bring_to` another that does not come. Raises ServerFailed."""
        await self._bring(generation, self.in_force.generation)

    async def _bring(self, before: Generation, after: Generation) -> None:
        kept, keeps = ((g.network.events_kept, g.network.defaults.results_kept) for g in (before, after))
        if kept != keeps:
            await self._ensure_network(after.network)
        there, limits = before.queue_limits, after.queue_limits
        changed = [name for name, limit in limits.items() if there.get(name) != limit]
        await together(self._ensure_queue(name, limits[name]) for name in changed)
        self.in_force.known_queues |= {*before.queues, *after.queues}

    async def mend(self) -> None:
        """The server may have restarted: consumers live in its memory, and writes may have gone unheard.

        Tried until it is done, since without consumers nobody is given a task; another reconnect, or the end of the
        connection, cuts it off.
        """
        self.known.reload()
        self.backlog.forget()
        told = ""
        while True:
            try:
                await self._ensure()
                await self.registry.reload()
                return
            except (ServerFailed, *AWAY) as problem:
                if (why := str(problem) or type(problem).__name__) != told:
                    _log.warning("the network is not mended yet after a reconnect: %s", told := why)
            await asyncio.sleep(MEND_SECONDS)

    async def close(self) -> None:
        await self.leadership.close()
        await self.lookout.close()
        await asyncio.gather(self.known.close(), self.registry.close())
        await self.events.close()
        await self.pulse.close()
        await self.connection.close()

    async def _ensure(self) -> None:
        network = self.network
        await self._ensure_network(network)
        limits = self.in_force.generation.queue_limits
        await asyncio.gather(*(self._ensure_queue(name, limit) for name, limit in limits.items()))
        self.in_force.known_queues |= await queues_there(self.connection, self.subjects)
        left = self.in_force.left_queues()
        await asyncio.gather(*(ensure_consumers(self.connection, self.subjects, name) for name in left))

    async def _ensure_network(self, network: Network) -> None:
        subjects, results = self.subjects, network.defaults.results_kept
        reserved = (event_stream(subjects, network.events_kept), payload_stream(subjects))
        await ensure_reserved(self.connection, (*reserved, *delivery_streams(subjects, results)))
        await asyncio.gather(  # once it is known what room they leave
            ensure_network(self.connection, subjects, results_kept=results),
            ensure_deliveries(self.connection, subjects),
        )

    async def _ensure_queue(self, name: str, limit: int) -> None:
        await ensure_queue(self.connection, self.subjects, name, limit)

    async def _forget_the_dead(self) -> None:
        """Registrations of runners that have no connection any more, such as one that was killed.

        One that is connected and does not answer may only be stopped for a while: its pulse tells.
        """
        questions = Questions(self.connection, self.subjects)

        async def look(runner: str) -> None:
            if not await questions.is_anybody(self.subjects.control(runner, "ping"), PING_SECONDS):
                await self.registry.forget_runner(runner)

        await asyncio.gather(*map(look, sorted(self.registry.runners())))


async def foundation(in_force: InForce, reach: Reach, runner: str, moved: Moved) -> Foundation:
    """Connect as the runner itself, whose id is given; nothing is made yet. Raises ServerFailed."""
    mending: list[Foundation] = []

    async def on_reconnect() -> None:
        for laid in mending:
            await laid.mend()

    connection = await connect(
        reach.urls, caller="_runner", credentials=reach.runner, on_reconnect=on_reconnect, echo=False
    )
    try:
        vital = await connect(reach.urls, caller="_runner", credentials=reach.runner)
    except ServerFailed:
        await connection.close()
        raise
    version_of(connection)
    subjects = Subjects(in_force.network.name)
    pulse = Pulse(vital, subjects, runner)
    leadership = Leadership(Bucket(vital, subjects.bucket("leader")), pulse)
    capabilities = Bucket(connection, subjects.bucket("capabilities"))
    registry = Registry(capabilities, pulse)
    results = Bucket(connection, subjects.bucket("results"))
    checkpoints = Bucket(connection, subjects.bucket("checkpoints"))
    known = KnownKeys(connection, results)
    backlog = Backlog(connection, subjects)
    contents = Contents(Bucket(connection, subjects.bucket("contents")), results, backlog, in_force.all_queues)
    holders = Holders(Questions(connection, subjects), subjects)
    objects = Objects(connection, subjects.bucket("payloads"))
    dead = DeadLetters(Bucket(connection, subjects.bucket("dead")), Keepsakes(objects, in_force.max_payload))
    outbox = Outbox(connection, subjects, objects, in_force.max_payload)
    deliveries = Deliveries(in_force.deliveries, outbox, results)
    requeue = Requeue(connection, subjects)
    events = Events(vital, subjects)  # `connection` does not hear itself, and the terminal listens there
    ensure = partial(ensure_capabilities, connection, subjects)
    lookout = Lookout(in_force.network.name, capabilities, registry, events, ensure)
    desk = InlineDesk(
        results,
        checkpoints,
        known,
        registry,
        backlog,
        deliveries,
        requeue,
        dead,
        contents,
        holders,
        objects,
        moved,
        connection,
        events,
    )
    found = Foundation(
        in_force,
        subjects,
        connection,
        pulse,
        leadership,
        registry,
        lookout,
        results,
        known,
        backlog,
        dead,
        Bundles(connection, subjects),
        events,
        desk,
    )
    mending.append(found)
    return found
