"""What runs and what is wanted → a plan: which ensembles start, change and stop, and in which order that is safe.

What holds in every order that keeps to `after`: leave is granted before it is used and revoked when it is not used any
more; callers are told of a provider when it is ready; and nobody drains before those who take over are ready.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from functools import cached_property

from runner.model import Network
from runner.plan.actions import PHASES, AnyAction, Drain, Grant, Revoke, Rewire, Start, Stop, Update
from runner.plan.changes import (
    Change,
    Mask,
    changes_of_code,
    changes_of_ensemble,
    changes_of_network,
)
from runner.plan.edges import Edge, edges_of
from runner.plan.fields import FieldClass
from runner.plan.fingerprint import routes_of
from runner.plan.grants import leave_of
from runner.plan.observed import Desired, Observed
from runner.plan.plan import Plan, Refusal
from runner.plan.words import introduced, said
from runner.routing import wiring


def reconcile(observed: Observed, desired: Desired) -> Plan | Refusal:
    """The plan that makes what is observed what is desired; a refusal where that needs a restart."""
    step = _Step(observed, desired)
    forbidden = tuple(change for change in step.of_network if change.field_class is FieldClass.RESTART)
    if forbidden:
        return Refusal(observed.network.name, observed.generation, forbidden)
    changes = (*step.of_network, *(change for name in sorted(step.own) for change in step.own[name]))
    return Plan(observed.network.name, observed.generation, step.actions(), changes)


@dataclass(frozen=True)
class _Step:
    """The way from one network to the next."""

    observed: Observed
    desired: Desired

    def actions(self) -> tuple[AnyAction, ...]:
        """All that is to be done, each after what it waits for."""
        found: list[AnyAction] = [
            *self._grants(),
            *self._starts(),
            *self._updates(),
            *self._rewires(),
            *self._drains(),
            *(Stop(name, _REMOVED, after=(_key(Drain, name),)) for name in self.gone),
            *self._revokes(),
        ]
        there = {action.key for action in found}
        return tuple(self._settled(action, there) for action in sorted(found, key=self._place))

    def _settled(self, action: AnyAction, there: Set[str]) -> AnyAction:
        """The action with what its ensemble has to do, waiting for nothing that is not part of the plan."""
        load = self.observed.load(action.ensemble)
        after = tuple(key for key in action.after if key in there)
        return replace(action, after=after, in_flight=load.in_flight, queued=load.queued)

    @cached_property
    def old(self) -> Network:
        return self.observed.network

    @cached_property
    def new(self) -> Network:
        return self.desired.network

    @cached_property
    def mask(self) -> Mask:
        return Mask(self.observed.secrets | self.desired.secrets)

    @cached_property
    def of_network(self) -> tuple[Change, ...]:
        return changes_of_network(self.old, self.new, self.mask)

    @cached_property
    def own(self) -> Mapping[str, tuple[Change, ...]]:
        """The changes of each ensemble that stays: of its file and of its code."""
        return {name: tuple(self._own(name)) for name in sorted(self.old.ensembles.keys() & self.new.ensembles.keys())}

    @cached_property
    def come(self) -> tuple[str, ...]:
        return tuple(sorted(self.new.ensembles.keys() - self.old.ensembles.keys()))

    @cached_property
    def gone(self) -> tuple[str, ...]:
        return tuple(sorted(self.old.ensembles.keys() - self.new.ensembles.keys()))

    @cached_property
    def edges_before(self) -> frozenset[Edge]:
        return edges_of(self._wires[0])

    @cached_property
    def edges_after(self) -> frozenset[Edge]:
        return edges_of(self._wires[1])

    def _own(self, name: str) -> Iterator[Change]:
        yield from changes_of_ensemble(self.old.ensembles[name], self.new.ensembles[name], self.mask)
        before, after = self.observed.modules.get(name, {}), self.desired.modules.get(name, {})
        yield from changes_of_code(name, before, after)

    @cached_property
    def _leave(self) -> tuple[Mapping[str, frozenset[str]], Mapping[str, frozenset[str]]]:
        return leave_of(self.old, self._wires[0]), leave_of(self.new, self._wires[1])

    @cached_property
    def _wires(self) -> tuple[tuple[wiring.Edge, ...], tuple[wiring.Edge, ...]]:
        return wiring.wiring(self.old), wiring.wiring(self.new)

    def _grants(self) -> Iterator[Grant]:
        before, after = self._leave
        for name in sorted(after):
            if name not in before:
                yield Grant(name, "a user of its own")
            elif more := after[name] - before[name]:
                yield Grant(name, ", ".join(sorted(more)))

    def _revokes(self) -> Iterator[Revoke]:
        before, after = self._leave
        for name in sorted(before):
            if name not in after:
                yield Revoke(name, _REMOVED, after=(_key(Stop, name),))
            elif less := before[name] - after[name]:
                closed = [key for edge, key in self._closing.items() if edge.ensemble == name]
                yield Revoke(name, ", ".join(sorted(less)), after=(_key(Update, name), *sorted(closed)))

    def _starts(self) -> Iterator[Start]:
        for name in self.come:
            facts = introduced(self.new.ensembles[name])
            yield Start(name, "new in the file", after=(_key(Grant, name),), facts=facts)

    def _updates(self) -> Iterator[Update]:
        """Of the network itself, and of whoever changed. Who is new to an ensemble is there before it changes."""
        routes = {change.path[1] for change in self.of_network if _of_a_route(change)}
        asked: set[str] = set()
        for name, own in self.own.items():
            mine = routes_of(self.new.ensembles[name]) & routes
            asked |= mine
            changes = (*own, *(change for change in self.of_network if _of_a_route(change) and change.path[1] in mine))
            if changes:
                yield self._update(name, changes)
        left = tuple(c for c in self.of_network if not _of_a_route(c) or c.path[1] not in asked)
        if left:
            yield Update(None, said(left), left)

    def _update(self, name: str, changes: tuple[Change, ...]) -> Update:
        asks = {_key(Start, edge.provider) for edge in self._opened if edge.ensemble == name}
        takes_over = {_key(Start, other) for other in self._successors.get(name, ())}
        after = (_key(Grant, name), *sorted(asks | takes_over))
        return Update(name, said(changes), changes, after=after)

    @cached_property
    def _opened(self) -> tuple[Edge, ...]:
        return tuple(sorted(self.edges_after - self.edges_before, key=_by_name))

    @cached_property
    def _closed(self) -> tuple[Edge, ...]:
        return tuple(sorted(self.edges_before - self.edges_after, key=_by_name))

    @cached_property
    def _closing(self) -> Mapping[Edge, str]:
        return {edge: Rewire(edge.ensemble, "", edge, added=False).key for edge in self._closed}

    @cached_property
    def _successors(self) -> Mapping[str, frozenset[str]]:
        """Of each ensemble that ceases to offer something: the others that offer the same name in time to come."""
        before, after = _offers(self.old), _offers(self.new)
        found: dict[str, set[str]] = defaultdict(set)
        for capability, providers in before.items():
            for provider in providers - after.get(capability, frozenset()):
                found[provider] |= after.get(capability, frozenset())
        return {provider: frozenset(others) for provider, others in found.items()}

    def _rewires(self) -> Iterator[Rewire]:
        """A use knows a new provider when that is ready, and forgets an old one when it knows all the new ones."""
        opening: dict[tuple[str, str], list[str]] = defaultdict(list)
        for edge in self._opened:
            ends = (_key(Grant, edge.ensemble), *_stood(edge.ensemble), *_stood(edge.provider))
            rewire = Rewire(edge.ensemble, self._why(edge), edge, added=True, after=ends)
            opening[edge.ensemble, edge.use].append(rewire.key)
            yield rewire
        for edge in self._closed:
            first = (*_stood(edge.ensemble), *opening[edge.ensemble, edge.use])
            yield Rewire(edge.ensemble, self._why_not(edge), edge, added=False, after=first)

    def _drains(self) -> Iterator[Drain]:
        """Callers before those they call; each when its uses are closed and whoever takes over is ready."""
        callers: dict[str, set[str]] = defaultdict(set)
        for edge in self._closed:
            callers[edge.provider].add(edge.ensemble)
        for name in self.gone:
            closed = [key for edge, key in self._closing.items() if name in (edge.ensemble, edge.provider)]
            earlier = [_key(Drain, other) for other in sorted(callers[name]) if self._turn[other] < self._turn[name]]
            successors = [key for other in sorted(self._successors.get(name, ())) for key in _stood(other)]
            after = (*successors, *sorted(closed), *earlier)
            yield Drain(name, _REMOVED, after=after, on_remove=self.new.defaults.on_remove)

    @cached_property
    def _turn(self) -> Mapping[str, int]:
        return {name: turn for turn, group in enumerate(wiring.drain_order(self.old)) for name in group}

    def _why(self, edge: Edge) -> str:
        if edge.ensemble in self.come:
            return f"{edge.ensemble} is new"
        if self._use_changed(edge):
            return f"uses.{edge.use} changed"
        return f"{edge.provider} is new" if edge.provider in self.come else f"{edge.provider} offers it now"

    def _why_not(self, edge: Edge) -> str:
        if edge.ensemble in self.gone:
            return f"{edge.ensemble} is removed"
        if self._use_changed(edge):
            return f"uses.{edge.use} changed"
        return f"{edge.provider} is removed" if edge.provider in self.gone else f"{edge.provider} offers it no more"

    def _use_changed(self, edge: Edge) -> bool:
        return any(change.path[:2] == ("uses", edge.use) for change in self.own.get(edge.ensemble, ()))

    def _place(self, action: AnyAction) -> tuple[int, int, str]:
        turn = self._turn.get(action.ensemble or "", 0) if isinstance(action, Drain) else 0
        return PHASES.index(type(action)), turn, action.key


_REMOVED = "removed from the file"


def _key(kind: type[AnyAction], name: str) -> str:
    return f"{kind.kind} {name}"


def _stood(name: str) -> tuple[str, str]:
    """What has been done when an ensemble is as wanted; of an untouched one, nothing of it is in the plan."""
    return _key(Start, name), _key(Update, name)


def _offers(network: Network) -> dict[str, frozenset[str]]:
    """The providers of each capability, by its name."""
    offers: dict[str, set[str]] = defaultdict(set)
    for name, ensemble in network.ensembles.items():
        for capability in ensemble.shared():
            offers[capability].add(name)
    return {capability: frozenset(providers) for capability, providers in offers.items()}


def _of_a_route(change: Change) -> bool:
    return change.path[0] == "models" and len(change.path) > 1


def _by_name(edge: Edge) -> tuple[str, str, str, str]:
    return edge.ensemble, edge.use, edge.provider, edge.capability
