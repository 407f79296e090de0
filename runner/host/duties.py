"""The duties of the leader: what nobody claims is routed anew, held, or ended.

Only the queues of ensembles without a live replica are read, each once and then on from where the reading ended, so
that a network in which all is well costs nothing. A new leader looks at every queue once: the last one may have gone
in the middle of a move.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import assert_never

from runner.bus.away import AWAY
from runner.bus.work_queues import WorkQueues
from runner.errors import ServerFailed
from runner.host.desk import StoreAway
from runner.host.foundation import Foundation
from runner.host.moves import Moves, Place
from runner.model import Discovery, Ensemble
from runner.removal import OnRemove
from runner.routing.claims import (
    Answer,
    Candidate,
    Complete,
    Expire,
    GiveUp,
    Health,
    Hold,
    Leave,
    Reroute,
    Unclaimed,
    Verdict,
    judge,
)
from runner.routing.locked import leaves
from runner.subjects import is_outside
from runner.work import EnsembleState

LOOK_SECONDS = 1.0
_logger = logging.getLogger("runner.host")


@dataclass(slots=True, eq=False)
class _Looked:
    """What was seen in one queue: tasks by sequence, without their contexts, and where the reading goes on."""

    health: Health
    tasks: dict[int, Unclaimed] = field(default_factory=dict)
    held: set[int] = field(default_factory=set)
    begun: set[int] = field(default_factory=set)
    """What is being seen to, and what could not be to its end: it may be half moved."""
    next: int = 1
    half_moved: bool = False

    def remember(self, place: Place) -> None:
        task = place.task
        self.tasks[place.sequence] = replace(task, request=task.request.model_copy(update={"context": None}))

    def forget(self, sequence: int) -> None:
        self.tasks.pop(sequence)
        self.held.discard(sequence)
        self.begun.discard(sequence)


class Duties:
    """Of one runner."""

    def __init__(self, ground: Foundation) -> None:
        self._in_force = ground.in_force
        self._desk = ground.desk
        self._registry = ground.registry
        self._leadership = ground.leadership
        self._queues = WorkQueues(ground.connection, ground.subjects)
        self._moves = Moves(ground.subjects, ground.connection, self._queues, ground.desk, ground.events)
        self._looked: dict[str, _Looked] = {}
        self._full: set[str] = set()

    async def perform(self, _: int) -> None:
        """For as long as this runner leads. Cut off in the middle, it leaves to the next leader what it began."""
        self._looked = {name: _Looked(self._health(name, None)) for name in self._in_force.all_queues()}
        while True:
            try:
                await self.look()
            except (StoreAway, ServerFailed, *AWAY) as problem:
                _logger.warning("the duties wait for the server: %s", str(problem) or type(problem).__name__)
            except Exception:  # one look: log, and look again
                _logger.exception("a look at the queues broke")
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Look once at every queue that may need it. Raises StoreAway, ServerFailed or what `AWAY` lists."""
        self._full.clear()
        for name in self._in_force.all_queues():
            looked = self._looked.get(name)
            if looked is None:
                if self._is_up(name):
                    continue
                looked = self._looked[name] = _Looked(self._health(name, None))
            looked.health = self._health(name, looked.health.down_since)
            await self._look_at(name, looked)
            if looked.health.down_since is None and not looked.half_moved and not looked.begun:
                del self._looked[name]

    async def _look_at(self, name: str, looked: _Looked) -> None:
        looked.half_moved = False
        async for stored in self._queues.stored(name, start=looked.next):
            looked.remember(await Place.of(stored, self._desk, first_delivery=True))
            looked.next = stored.sequence + 1
        now = datetime.now(UTC)  # one for all: else a task whose time comes meanwhile would go before an older one
        for sequence, task in list(looked.tasks.items()):
            if sequence not in looked.begun and self._may_wait(sequence, task, looked, now):
                continue
            if not self._leadership.leading:
                return
            await self._attend(name, looked, sequence)

    def _may_wait(self, sequence: int, task: Unclaimed, looked: _Looked, now: datetime) -> bool:
        verdict = self._judge(task, looked.health, now)
        return isinstance(verdict, Leave) or (isinstance(verdict, Hold) and sequence in looked.held)

    async def _attend(self, name: str, looked: _Looked, sequence: int) -> None:
        """Read the task again as it stands now, judge it by that, and act. Once it is gone, it is forgotten.

        Where the server goes away meanwhile, it is seen to again, whatever has become of its provider.
        """
        looked.begun.add(sequence)
        stored = await self._queues.get(name, sequence)
        if stored is None:
            looked.forget(sequence)
            return
        place = await Place.of(stored, self._desk)
        looked.remember(place)
        await self._act(place, self._judge(place.task, looked.health, datetime.now(UTC)), looked)
        looked.begun.discard(sequence)

    async def _act(self, place: Place, verdict: Verdict, looked: _Looked) -> None:
        match verdict:
            case Leave():
                pass
            case Hold(why):
                if place.sequence not in looked.held:
                    looked.held.add(place.sequence)
                    self._moves.hold(place.task, why)
            case Expire():
                await self._moves.expire(place, why=f"{place.task.call.provider} was not up to start it")
            case GiveUp():
                await self._moves.give_up(place)
            case Answer(record):
                await self._moves.answer(place, record)
            case Complete(record, moved):
                looked.half_moved = True  # until it is gone
                await self._moves.complete(place, record, moved)
            case Reroute(to):
                if not await self._reroute(place, to, looked.health):
                    await self._attend(place.task.call.provider, looked, place.sequence)
            case _:
                assert_never(verdict)

    async def _reroute(self, place: Place, to: tuple[Candidate, ...], health: Health) -> bool:
        """To the first that was not full in this look. False: it was full after all, and another one is to be tried."""
        why = f"{place.task.call.provider} did not claim it within its sla of {health.sla.total_seconds():g} s"
        for candidate in to:
            if (provider := candidate.capability.provider) not in self._full:
                if await self._moves.reroute(place, candidate, why):
                    return True
                self._full.add(provider)
                return False
        return True

    def _judge(self, task: Unclaimed, health: Health, now: datetime) -> Verdict:
        return judge(
            replace(task, under_work=self._is_under_work(task)),
            health,
            self._candidates(task),
            max_hops=self._in_force.network.defaults.max_hops,
            now=now,
        )

    def _candidates(self, task: Unclaimed) -> Iterator[Candidate]:
        """Whoever is up and meets the task's need. Lazy: most judgements ask for none."""
        need, caller = task.request.need, task.call.caller
        if need is None:
            return
        callers = self._in_force.generation.wired_callers
        wanted, asking = Discovery(need.name, need.tags), self._in_force.network.ensembles.get(caller, Ensemble(caller))
        for found in self._desk.catalog.providers_for(wanted, asking=caller):
            if self._is_up(found.provider) and leaves(asking, wanted, found):
                wired = is_outside(caller) or caller in callers.get((found.provider, found.name), ())
                yield Candidate(found, wired=wired, constrained=self._desk.constrained(found.provider))

    def _health(self, name: str, down_since: datetime | None) -> Health:
        network = self._in_force.network
        sla = network.ensembles.get(name, Ensemble(name)).sla
        fails = network.defaults.on_remove is OnRemove.FAIL and name not in network.ensembles
        since = None if self._is_up(name) else down_since or datetime.now(UTC)
        return Health(sla, since, is_given_up=fails and not self._registry.of(name))

    def _is_up(self, name: str) -> bool:
        return any(registration.state is EnsembleState.READY for registration in self._registry.of(name))

    def _is_under_work(self, task: Unclaimed) -> bool:
        """Whether a replica that takes nothing more, but still drains, was the last to start it."""
        provider, history = task.call.provider, task.record.history if task.record else ()
        if not history or history[-1].ended or history[-1].provider != provider:
            return False
        return any(registration.runner == history[-1].runner for registration in self._registry.of(provider))
