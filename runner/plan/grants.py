"""What each ensemble is allowed to do, as far as its wiring decides it: what is granted first and revoked last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from runner.capability import CapabilityInfo
from runner.model import Discovery, Network, StaticTarget
from runner.routing.wiring import Edge
from runner.work import CapabilityType


def leave_of(network: Network, wires: Iterable[Edge]) -> Mapping[str, frozenset[str]]:
    """By ensemble of a network with this wiring: whom it may call, and whether it may take tasks.

    A need by name holds whoever offers it.
    """
    leave: dict[str, set[str]] = defaultdict(set)
    for edge in wires:
        leave[edge.ensemble] |= _calls(edge)
    for name, ensemble in network.ensembles.items():
        if any(kind is CapabilityType.TASK for kind, _ in ensemble.shared().values()):
            leave[name].add("takes tasks")
    return {name: frozenset(leave[name]) for name in network.ensembles}


def _calls(edge: Edge) -> set[str]:
    match edge.use.target:
        case StaticTarget():
            called = {_call(found) for found in edge.candidates}
        case Discovery(name):
            called = {f"calls {name or 'whoever carries its tags'}"}
    return called if edge.fallback is None else {*called, _call(edge.fallback)}


def _call(capability: CapabilityInfo) -> str:
    return f"calls {capability.provider}/{capability.name} ({capability.type})"
