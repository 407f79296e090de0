"""Who offers what on which runner, as the registrations tell: the source of the live catalog."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from weakref import WeakValueDictionary

from pydantic import ValidationError

from runner.beat import Beat
from runner.bus.away import AWAY
from runner.bus.records import Bucket
from runner.catalog import Catalog
from runner.endings import ended
from runner.errors import ServerFailed
from runner.host.parts import PART_BYTES, Parts, is_part, part_key, too_long
from runner.host.pulse import Pulse
from runner.offer import Condition, condition
from runner.registration import Registration, split
from runner.work import EnsembleState

RETRY_SECONDS = 1.0
OFFERED = (EnsembleState.READY, EnsembleState.DEGRADED)
"""The states in which an ensemble is in the catalog: one that is not well holds the tasks that are sent to it."""

MOST_GONE = 10_000
"""Of how many ensembles it is kept that they are gone, and did not stop."""

_log = logging.getLogger("runner.host")


class Registry:
    """Follows the `capabilities` bucket; `catalog` is what live runners offer now.

    What this runner registered stays registered until it says otherwise: others may clear up after one that they take
    for dead, and it may only have been stopped for a while. What anybody registered as READY stays in use when the
    record of it vanishes, for as long as its runner lives and does not say that it is otherwise: whoever goes in order
    says so first.
    """

    def __init__(self, bucket: Bucket, pulse: Pulse) -> None:
        self._bucket = bucket
        self._pulse = pulse
        self._registrations: dict[str, Registration] = {}
        self._by_ensemble: dict[str, dict[str, Registration]] = defaultdict(dict)
        self._own: dict[str, Registration] = {}
        self._own_parts: dict[str, frozenset[str]] = {}
        """Of each, the keys of the parts that may stand."""
        self._parts = Parts()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """Of each key that is written: two that write parts at once would take away each other's."""
        self._vanished: set[str] = set()
        self.away: str | None = None
        """Why nobody new can be found, since when; None where all is well."""
        self._catalog = Catalog()
        self._living: frozenset[str] = frozenset()
        self._conditions: dict[str, Condition] = {}
        self._gone: dict[str, None] = {}
        """Of which a runner fell silent, and nobody has registered since; the last MOST_GONE, oldest first."""
        self._lost = asyncio.Event()
        self._restoring: asyncio.Task[None] | None = None
        self._told: list[Callable[[], None]] = []
        pulse.on_change(self._judged)
        pulse.on_beat(self._beaten)

    async def open(self) -> None:
        self._restoring = asyncio.ensure_future(self._restore())
        await self._bucket.watch(self._heard)

    async def close(self) -> None:
        await ended(self._restoring)

    async def reload(self) -> None:
        """Changes may have gone unheard: read everything again."""
        state = await self._bucket.state()
        empty = state is None or not state.messages  # of an emptied one the server tells nothing, and is waited for
        found = {} if empty else {entry.key: entry.value async for entry in self._bucket.entries()}
        for key in (self._registrations.keys() | self._own.keys() | self._parts.keys()) - found.keys():
            self._heard(key, None)
        for key, value in found.items():
            self._heard(key, value)

    @property
    def count(self) -> int:
        """How many records there are, as far as this runner heard."""
        return len(self._registrations) - len(self._vanished) + len(self._parts)

    @property
    def catalog(self) -> Catalog:
        """Immutable; the same one for as long as nothing changes."""
        return self._catalog

    def of(self, ensemble: str) -> tuple[Registration, ...]:
        """An ensemble's registrations by live runners, one each, in order of runner."""
        found = self._by_ensemble.get(ensemble, {})
        return tuple(found[runner] for runner in sorted(found) if self._pulse.alive(runner))

    def condition(self, ensemble: str) -> Condition:
        """How it is on all of its live runners. Looked up with every use of one: made once for each beat of theirs."""
        found = self._conditions.get(ensemble)
        if found is None:
            there = self.of(ensemble)
            found = condition((r.state, self._pulse.vitals(r.runner, ensemble)) for r in there)
            if self.is_gone(ensemble):
                found = Condition(EnsembleState.GONE)
            elif found.state is EnsembleState.DEGRADED:
                found = replace(found, detail=next((r.detail for r in there if r.detail), found.detail))
            self._conditions[ensemble] = found
        return found

    def is_gone(self, ensemble: str) -> bool:
        """Whether every runner that had it fell silent."""
        return ensemble in self._gone and not self.of(ensemble)

    def constrained(self, ensemble: str) -> bool:
        """Whether every replica that could take work says that too much waits already."""
        return self.condition(ensemble).constrained

    def on_change(self, told: Callable[[], None]) -> None:
        """Call this whenever something may be on offer that was not, or the other way round."""
        self._told.append(told)

    def ensembles(self) -> tuple[str, ...]:
        """Every ensemble of which a registration stands, dead or alive."""
        return tuple(name for name, found in self._by_ensemble.items() if found)

    def runners(self) -> frozenset[str]:
        """Every runner that has registered something, dead or alive."""
        return frozenset(r.runner for r in self._registrations.values()) | self._parts.runners()

    async def put(self, registration: Registration) -> None:
        """Tell the network; the catalog here has it when this returns.

        Raises StartFailed where the server would not take what one capability tells, ServerFailed, what `AWAY` lists.
        """
        key = f"{registration.ensemble}.{registration.runner}"
        turn = self._turns.setdefault(key, asyncio.Lock())
        if registration.state is EnsembleState.STOPPED:
            own = self._own.pop(key, None)
            async with turn:
                await self._take_away(key, registration if own and own.state in OFFERED else None)
        else:
            self._own[key] = registration
            async with turn:
                await self._put(key, registration)

    async def _take_away(self, key: str, last_word: Registration | None) -> None:
        if last_word is not None:
            await self._bucket.put(key, last_word.encode())  # else others would take it for removed by mistake
        await self._bucket.delete(key)
        self._unlist(key)
        await self._keep(key, frozenset())

    async def _put(self, key: str, registration: Registration) -> None:
        """The parts first, then the record that names them: who reads sees all of it, or what stood before."""
        record, parts = split(registration, min(PART_BYTES, self._bucket.most_bytes))
        named = {part_key(key, digest): data for digest, data in parts.items()}
        self._own_parts[key] = self._own_parts.get(key, frozenset()) | named.keys()
        for part, data in named.items():
            if len(data) > self._bucket.most_bytes:
                raise too_long(registration, len(data), self._bucket.most_bytes)
            if not self._parts.has((part,)):
                await self._bucket.put(part, data)
                self._heard(part, data)
        await self._bucket.put(key, record)
        self._heard(key, record)
        await self._keep(key, frozenset(named))

    async def _keep(self, key: str, named: frozenset[str]) -> None:
        """Take away what parts of one's own no record names any more."""
        before = self._own_parts.pop(key, frozenset())
        if named:
            self._own_parts[key] = named
        for part in sorted(before - named):
            self._parts.drop(part)
            await self._bucket.delete(part)

    async def forget_runner(self, runner: str) -> None:
        """A runner is gone: so is all that it offered. It is forgotten here first: it may register again at once."""
        self._pulse.forget(runner)
        for key, registration in list(self._registrations.items()):
            if registration.runner == runner:
                self._heard(key, None)
                await self._bucket.delete(key)
        for part in self._parts.of(runner):
            self._heard(part, None)
            await self._bucket.delete(part)

    async def bury(self, seconds: float) -> None:
        """Forget every runner that was silent for so long."""
        for runner in sorted(self.runners() - {self._pulse.runner}):
            if self._pulse.silence(runner) >= seconds:
                await self.forget_runner(runner)

    def _judged(self) -> None:
        """Runners came to life, died or left: what they offer comes and goes with them."""
        self._conditions.clear()
        runners = self.runners()
        changed = {r for r in runners if self._pulse.alive(r) is not (r in self._living)}
        self._living = (self._living & runners) ^ changed
        silent = self._pulse.silent()
        for registration in self._registrations.values():
            if registration.runner in changed:
                self._list(registration)
            if registration.runner in silent:
                self._gone[registration.ensemble] = None
        for name in list(self._gone)[: max(0, len(self._gone) - MOST_GONE)]:
            del self._gone[name]
        for key in [key for key in self._vanished if not self._may_stay(key)]:
            self._unlist(key)

    def _list(self, registration: Registration) -> None:
        """Have it in the catalog where it is on offer, and only there."""
        self._conditions.pop(registration.ensemble, None)
        if self._pulse.alive(registration.runner):
            self._gone.pop(registration.ensemble, None)
        offered = registration.state in OFFERED and self._pulse.alive(registration.runner)
        if offered:
            self._catalog = self._catalog.put(registration)
        else:
            self._catalog = self._catalog.drop(registration.ensemble, registration.runner)
        self._tell()

    def _beaten(self, beat: Beat) -> None:
        for name in beat.by_ensemble:
            self._conditions.pop(name, None)
        for key in [key for key in self._vanished if not self._may_stay(key)]:
            self._unlist(key)

    def _heard(self, key: str, value: bytes | None) -> None:
        if is_part(key):
            self._heard_part(key, value)
        elif value is None:
            self._heard_no_more(key)
        else:
            try:
                registration = Registration.model_validate_json(value)
            except ValidationError:
                _log.warning("dropped a registration that is none: %s", key)
                return
            self._pulse.mention(registration.runner)
            if (whole := self._parts.whole(key, registration)) is not None:
                self._stands(key, whole)

    def _heard_no_more(self, key: str) -> None:
        self._parts.drop(key)
        if key in self._own:
            self._lost.set()
        if key in self._registrations:
            self._vanished.add(key)
            if not self._may_stay(key):
                self._unlist(key)

    def _heard_part(self, key: str, value: bytes | None) -> None:
        if value is None:
            self._parts.drop(key)
            if any(key in parts for parts in self._own_parts.values()):
                self._lost.set()
            return
        self._pulse.mention(key.split(".")[1])
        try:
            for head, registration in self._parts.add(key, value):
                self._stands(head, registration)
        except ValidationError:
            _log.warning("dropped a part of a registration that is none: %s", key)

    def _stands(self, key: str, registration: Registration) -> None:
        """This is what is registered under a key."""
        self._registrations[key] = registration
        self._vanished.discard(key)
        self._by_ensemble[registration.ensemble][registration.runner] = registration
        runner = {registration.runner}
        self._living = self._living | runner if self._pulse.alive(registration.runner) else self._living - runner
        self._list(registration)

    def _may_stay(self, key: str) -> bool:
        """Whether what is registered no more is on offer all the same, as far as its runner tells."""
        registration = self._registrations[key]
        if (own := self._own.get(key)) is not None:
            return own.state in OFFERED
        vitals = self._pulse.vitals(registration.runner, registration.ensemble)
        says_otherwise = vitals is not None and vitals.state not in OFFERED
        offered = registration.state in OFFERED and not says_otherwise
        return offered and self._pulse.alive(registration.runner)

    def _unlist(self, key: str) -> None:
        self._vanished.discard(key)
        if (gone := self._registrations.pop(key, None)) is not None:
            self._by_ensemble[gone.ensemble].pop(gone.runner, None)
            if not self._by_ensemble[gone.ensemble]:
                del self._by_ensemble[gone.ensemble]
            self._conditions.pop(gone.ensemble, None)
            self._catalog = self._catalog.drop(gone.ensemble, gone.runner)
            self._tell()

    def _tell(self) -> None:
        for told in self._told:
            told()

    async def _restore(self) -> None:
        """Register again what somebody removed."""
        while True:
            await self._lost.wait()
            self._lost.clear()
            try:
                for key, registration in list(self._own.items()):
                    missing = key not in self._registrations or key in self._vanished
                    missing = missing or not self._parts.has(self._own_parts.get(key, ()))
                    if missing and self._own.get(key) is registration:
                        await self.put(registration)
            except (ServerFailed, *AWAY) as problem:
                _log.warning("what is offered here could not be registered again yet: %s", problem)
                self._lost.set()
                await asyncio.sleep(RETRY_SECONDS)
