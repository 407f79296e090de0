"""The wiring: every use of a network with what it may resolve to, as the file declares it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from runner.capability import CapabilityInfo
from runner.catalog import Catalog, declared
from runner.model import Discovery, Network, StaticTarget, Use
from runner.routing.locked import admits
from runner.same import found_once


@dataclass(frozen=True, slots=True)
class Edge:
    """One use. `candidates` is one capability for a static use, any number for a discovered one."""

    ensemble: str
    use: Use
    candidates: tuple[CapabilityInfo, ...]
    fallback: CapabilityInfo | None = None
    """Who is asked when none of them can be."""

    @property
    def discovered(self) -> bool:
        return isinstance(self.use.target, Discovery)

    @property
    def targets(self) -> tuple[CapabilityInfo, ...]:
        """Whoever it may come to."""
        return self.candidates if self.fallback is None else (*self.candidates, self.fallback)


@found_once
def wiring(network: Network) -> tuple[Edge, ...]:
    """Every edge of the network, in order of ensemble and use."""
    catalog = declared(network)
    return tuple(
        Edge(ensemble.name, use, candidates(use, ensemble.name, catalog), fallback(use, catalog))
        for _, ensemble in sorted(network.ensembles.items())
        for _, use in sorted(ensemble.uses.items())
    )


def candidates(use: Use, asking: str, catalog: Catalog) -> tuple[CapabilityInfo, ...]:
    """Every capability that a use of `asking` may resolve to, in order of provider."""
    match use.target:
        case StaticTarget(ensemble, capability):
            found = catalog.get(ensemble, capability)
            return (found,) if found else ()
        case Discovery() as need:
            return tuple(c for c in catalog.providers_for(need, asking=asking) if admits(need, c))


def fallback(use: Use, catalog: Catalog) -> CapabilityInfo | None:
    """The capability that a use names for when nobody else can be asked."""
    return catalog.get(use.fallback.ensemble, use.fallback.capability) if use.fallback is not None else None


def callers_of(network: Network) -> dict[tuple[str, str], frozenset[str]]:
    """Which ensembles a use connects to each capability, by (provider, capability)."""
    callers: dict[tuple[str, str], set[str]] = defaultdict(set)
    for edge in wiring(network):
        for capability in edge.targets:
            callers[capability.provider, capability.name].add(edge.ensemble)
    return {target: frozenset(found) for target, found in callers.items()}


@found_once
def drain_order(network: Network) -> tuple[frozenset[str], ...]:
    """The ensembles in the order in which they can stop: callers before those they call, a loop all at once."""
    callers: dict[str, set[str]] = {name: set() for name in network.ensembles}
    for edge in wiring(network):
        for capability in edge.targets:
            callers[capability.provider].add(edge.ensemble)
    left, order = set(network.ensembles), []
    while left:
        free = frozenset(name for name in left if not (callers[name] & left) - {name}) or frozenset(left)
        order.append(free)
        left -= free
    return tuple(order)
