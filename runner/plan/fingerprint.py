"""What an ensemble is made of, in one word: the same for as long as nothing changes but what is live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from pydantic import JsonValue

from runner.model import Ensemble, Network
from runner.plan.changes import digest_of
from runner.plan.facts import leaves, of_ensemble, of_route
from runner.plan.fields import FieldClass, class_of


def fingerprint(ensemble: Ensemble, network: Network, modules: Mapping[str, str]) -> str:
    """The digest of everything for which this ensemble needs a new version: its rolling fields, the model routes of
    its agents, and the Python files (path to digest) that its functions come from."""
    return digest_of([[list(path), value] for path, value in _parts(ensemble, network, modules)])


def routes_of(ensemble: Ensemble) -> frozenset[str]:
    """The model routes that its agents ask."""
    return frozenset(agent.model for agent in ensemble.agents.values())


def _parts(
    ensemble: Ensemble, network: Network, modules: Mapping[str, str]
) -> Iterator[tuple[tuple[str, ...], JsonValue]]:
    for path, value in leaves(of_ensemble(ensemble)):
        if class_of(path, file="ensemble") is not FieldClass.LIVE:
            yield path, value
    for name in sorted(routes_of(ensemble) & network.models.keys()):
        yield from leaves(of_route(network.models[name]), ("models", name))
    for file in sorted(modules):
        yield ("code", file), cast(JsonValue, modules[file])
