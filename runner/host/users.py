"""The users of the embedded server: the runner, the operator and every ensemble, each with its own key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from runner.bus.keys import Key, key_in
from runner.bus.permissions import EVERYTHING, Grant, Permissions, of_ensemble, of_operator
from runner.model import Discovery, Network, StaticTarget
from runner.routing.wiring import Edge, wiring
from runner.subjects import Subjects
from runner.work import CapabilityType

LONGEST_DEADLINE = timedelta(days=1)
"""For how long a tool may answer a call: the server forgets the leave to respond after it."""

_NONE: Mapping[str, Key] = {}


@dataclass(frozen=True, slots=True)
class Users:
    """The keys of one network; `ensembles` by name. `system` only asks the server how it is."""

    system: Key
    runner: Key
    operator: Key
    ensembles: Mapping[str, Key]
    permissions: Mapping[str, Permissions]
    """By public key: what the server's configuration says."""


def users_of(network: Network, keys: Path, known: Mapping[str, Key] = _NONE) -> Users:
    """Every user of a network, with keys kept in a directory and permissions generated from the wiring.

    The keys of ensembles that are `known` need not be read.
    """
    subjects = Subjects(network.name)
    runner, operator = key_in(keys / "runner.nk"), key_in(keys / "operator.nk")
    ensembles = {name: known.get(name) or key_in(keys / f"ensemble-{name}.nk") for name in sorted(network.ensembles)}
    granted = _grants(wiring(network))
    permissions = {
        runner.public: EVERYTHING,
        operator.public: of_operator(subjects),
        **{
            key.public: of_ensemble(
                subjects,
                name,
                granted.get(name, ()),
                longest_deadline=LONGEST_DEADLINE,
                takes_tasks=_takes_tasks(network, name),
            )
            for name, key in ensembles.items()
        },
    }
    return Users(key_in(keys / "system.nk"), runner, operator, ensembles, permissions)


def _grants(edges: Iterable[Edge]) -> dict[str, list[Grant]]:
    """What each ensemble may call. A discovered use is granted by its name, whoever offers it later."""
    granted: dict[str, list[Grant]] = {}
    for edge in edges:
        match edge.use.target:
            case StaticTarget(ensemble, capability):
                kind = edge.candidates[0].type if edge.candidates else None
                grant = Grant(kind, ensemble, capability)
            case Discovery(name):
                grant = Grant(None, None, name)
        granted.setdefault(edge.ensemble, []).append(grant)
        if (fallback := edge.fallback) is not None:
            granted[edge.ensemble].append(Grant(fallback.type, fallback.provider, fallback.name))
    return granted


def _takes_tasks(network: Network, name: str) -> bool:
    return any(kind is CapabilityType.TASK for kind, _ in network.ensembles[name].shared().values())
