"""What holds for every plan, in whatever order its actions are done as long as each comes after what it waits for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runner.model import Capacity, Defaults, Discovery, Ensemble, Network, PythonTarget, Share, StaticTarget, Tool, Use
from runner.plan.actions import PHASES, AnyAction, Drain, Grant, Revoke, Rewire, Start, Stop, Update
from runner.plan.edges import Edge, edges_of
from runner.plan.fields import FieldClass
from runner.plan.fingerprint import fingerprint
from runner.plan.grants import leave_of
from runner.plan.observed import Desired, Modules, Observed
from runner.plan.plan import Plan
from runner.plan.reconcile import reconcile
from runner.routing.wiring import wiring
from runner.work import Authority

ENSEMBLES, CAPABILITIES, TAGS = ("a", "b", "c", "d"), ("x", "y", "z"), ("red", "blue")

tags = st.lists(st.sampled_from(TAGS), unique=True, max_size=2).map(tuple)
tools = st.builds(
    Tool,
    name=st.just(""),
    python=st.builds(PythonTarget, path=st.sampled_from(("m.py", "n.py")), function=st.just("f")),
    description=st.sampled_from((None, "one", "other")),
    share=st.none() | st.builds(Share, tags=tags, authority=st.just(Authority.AUTONOMOUS)),
)
targets = st.builds(StaticTarget, st.sampled_from(ENSEMBLES), st.sampled_from(CAPABILITIES)) | st.builds(
    Discovery, st.none() | st.sampled_from(CAPABILITIES), tags
)
uses = st.builds(
    Use,
    name=st.just(""),
    target=targets,
    deadline=st.sampled_from((None, timedelta(seconds=5))),
    fallback=st.none() | st.builds(StaticTarget, st.sampled_from(ENSEMBLES), st.sampled_from(CAPABILITIES)),
)
ensembles = st.builds(
    Ensemble,
    name=st.just(""),
    capacity=st.builds(Capacity, max_concurrent=st.sampled_from((4, 8))),
    uses=st.dictionaries(st.sampled_from(("one", "two")), uses),
    tools=st.dictionaries(st.sampled_from(CAPABILITIES), tools),
)
networks = st.builds(
    Network,
    name=st.just("n"),
    ensembles=st.dictionaries(st.sampled_from(ENSEMBLES), ensembles, min_size=1),
    defaults=st.builds(Defaults, max_hops=st.sampled_from((4, 16))),
)
codes = st.dictionaries(
    st.sampled_from(ENSEMBLES), st.dictionaries(st.sampled_from(("m.py", "n.py")), st.sampled_from(("1", "2")))
)


def named(network: Network) -> Network:
    """The network with each thing under its own name."""
    return replace(network, ensembles={n: _named(n, ensemble) for n, ensemble in network.ensembles.items()})


def _named(name: str, ensemble: Ensemble) -> Ensemble:
    def each(things: Mapping[str, Any]) -> dict[str, Any]:
        return {key: replace(thing, name=key) for key, thing in things.items()}

    return replace(ensemble, name=name, uses=each(ensemble.uses), tools=each(ensemble.tools))


def code_of(network: Network, modules: Modules) -> Modules:
    return {name: modules.get(name, {}) for name in network.ensembles}


@dataclass
class World:
    """A network that has no more to it than a plan speaks of."""

    ensembles: dict[str, Ensemble]
    top: Network
    modules: dict[str, Mapping[str, str]]
    edges: set[Edge]
    leave: dict[str, frozenset[str]]
    draining: set[str]

    @classmethod
    def of(cls, observed: Observed) -> World:
        network = observed.network
        return cls(
            dict(network.ensembles),
            replace(network, ensembles={}),
            dict(observed.modules),
            set(edges_of(wiring(network))),
            dict(leave_of(network, wiring(network))),
            set(),
        )

    def do(self, action: AnyAction, desired: Desired) -> None:
        name = action.ensemble
        wanted = leave_of(desired.network, wiring(desired.network))
        match action:
            case Grant():
                self.leave[str(name)] = self.leave.get(str(name), frozenset()) | wanted[str(name)]
            case Update(ensemble=None):
                self.top = replace(desired.network, ensembles={})
            case Start() | Update():
                assert wanted[str(name)] <= self.leave[str(name)], "leave is granted before it is used"
                self.ensembles[str(name)] = desired.network.ensembles[str(name)]
                self.modules[str(name)] = desired.modules.get(str(name), {})
            case Rewire(edge=edge, added=True):
                assert self.offers(edge.provider, edge.capability), "an edge leads to who is ready"
                self.edges.add(edge)
            case Rewire(edge=edge):
                self.edges.remove(edge)
            case Drain():
                assert not [edge for edge in self.edges if edge.provider == name], "nobody is sent to who drains"
                self.draining.add(str(name))
            case Stop():
                assert name in self.draining
                del self.ensembles[str(name)], self.modules[str(name)]
            case Revoke():
                if name in wanted:
                    self.leave[str(name)] = wanted[str(name)]
                else:
                    assert name not in self.ensembles
                    del self.leave[str(name)]

    def offers(self, provider: str, capability: str) -> bool:
        ready = provider in self.ensembles and provider not in self.draining
        return ready and capability in self.ensembles[provider].shared()

    def serves(self, capability: str) -> bool:
        return any(self.offers(provider, capability) for provider in self.ensembles)

    def served(self) -> set[tuple[str, str]]:
        """The uses that come to somebody who is ready."""
        return {(e.ensemble, e.use) for e in self.edges if self.offers(e.provider, e.capability)}

    @property
    def network(self) -> Network:
        return replace(self.top, ensembles=self.ensembles)


def batches(plan: Plan, chance: Random) -> Iterator[list[AnyAction]]:
    """The actions in any order that keeps to `after`; the commit is one batch."""
    commit = [action for action in plan.actions if isinstance(action, Update | Rewire)]
    left = [[action] for action in plan.actions if action not in commit] + ([commit] if commit else [])
    done: set[str] = set()
    while left:
        free = [batch for batch in left if _waits_for(batch) <= done]
        batch = chance.choice(free)
        left.remove(batch)
        done |= {action.key for action in batch}
        yield batch


def _waits_for(batch: list[AnyAction]) -> set[str]:
    return {key for action in batch for key in action.after} - {action.key for action in batch}


steps = st.tuples(
    st.builds(lambda n, m: Observed(7, named(n), code_of(n, m)), networks, codes),
    st.builds(lambda n, m: Desired(named(n), code_of(n, m)), networks, codes),
)


def plan_of(observed: Observed, desired: Desired) -> Plan:
    plan = reconcile(observed, desired)
    assert isinstance(plan, Plan)
    return plan


@given(steps, st.randoms(use_true_random=False))
def test_after_a_plan_is_done_in_any_order_there_is_nothing_to_do(
    step: tuple[Observed, Desired], chance: Random
) -> None:
    observed, desired = step
    world = World.of(observed)
    for batch in batches(plan_of(observed, desired), chance):
        for action in batch:
            world.do(action, desired)
    assert world.edges == edges_of(wiring(desired.network))
    assert world.leave == leave_of(desired.network, wiring(desired.network))
    assert not plan_of(Observed(8, world.network, world.modules), desired)


@given(steps, st.randoms(use_true_random=False))
def test_whoever_was_served_and_will_be_is_served_all_the_time(step: tuple[Observed, Desired], chance: Random) -> None:
    """The last provider that is ready is never drained before its successor is."""
    observed, desired = step
    world = World.of(observed)
    after = edges_of(wiring(desired.network))
    staying = world.served() & {(edge.ensemble, edge.use) for edge in after}
    offered = {
        c for c in CAPABILITIES if world.serves(c) and any(c in e.shared() for e in desired.network.ensembles.values())
    }
    for batch in batches(plan_of(observed, desired), chance):
        for action in batch:
            world.do(action, desired)
        assert staying <= world.served()
        assert all(world.serves(capability) for capability in offered)


@given(steps)
def test_actions_stand_after_what_they_wait_for(step: tuple[Observed, Desired]) -> None:
    plan = plan_of(*step)
    done: list[str] = []
    for action in plan.actions:
        assert set(action.after) <= set(done)
        done.append(action.key)
    assert len(set(done)) == len(done)
    phases = [PHASES.index(type(action)) for action in plan.actions]
    assert phases == sorted(phases)


@given(steps)
def test_the_order_of_the_file_means_nothing(step: tuple[Observed, Desired]) -> None:
    observed, desired = step
    other = plan_of(
        replace(observed, network=_backwards(observed.network)), replace(desired, network=_backwards(desired.network))
    )
    plan = plan_of(observed, desired)
    assert (other.actions, other.changes, other.hash) == (plan.actions, plan.changes, plan.hash)


@given(steps)
def test_an_ensemble_is_rolled_where_its_fingerprint_is_another(step: tuple[Observed, Desired]) -> None:
    observed, desired = step
    plan = plan_of(observed, desired)
    staying = observed.network.ensembles.keys() & desired.network.ensembles.keys()
    assert set(plan.rolling) == {
        name
        for name in staying
        if fingerprint(observed.network.ensembles[name], observed.network, observed.modules[name])
        != fingerprint(desired.network.ensembles[name], desired.network, desired.modules[name])
    }
    updates = {update.ensemble: update for update in plan.of(Update)}
    assert all(updates[name].field_class is FieldClass.ROLLING for name in plan.rolling)


def _backwards(network: Network) -> Network:
    def turned(things: Mapping[str, Any]) -> dict[str, Any]:
        return dict(reversed(things.items()))

    return replace(
        network,
        ensembles={
            name: replace(ensemble, uses=turned(ensemble.uses), tools=turned(ensemble.tools))
            for name, ensemble in turned(network.ensembles).items()
        },
    )
