"""What an ensemble's process is given by its runner: who it is, where its server is, and what it may know."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from typing import cast

from runner.host.process.calls import Outlook
from runner.host.version import Generation
from runner.model import Network


@dataclass(frozen=True, slots=True)
class Handover:
    """`credentials` are the ensemble's own. `reloads` and `outlook` are what its desk begins with."""

    name: str
    runner: str
    urls: tuple[str, ...] = field(repr=False)
    credentials: str | None = field(repr=False)
    directory: str
    generation: Generation
    reloads: int
    outlook: Outlook
    held: bool
    """Whether it is to work only once it is admitted."""

    def packed(self) -> bytes:
        return pickle.dumps(self, pickle.HIGHEST_PROTOCOL)

    @classmethod
    def unpacked(cls, data: bytes) -> Handover:
        """Only of what the runner sent."""
        return cast(Handover, pickle.loads(data))


def packed(generation: Generation) -> bytes:
    return pickle.dumps(generation, pickle.HIGHEST_PROTOCOL)


def unpacked(data: bytes) -> Generation:
    """Only of what the runner sent."""
    return cast(Generation, pickle.loads(data))


def seen_by(name: str, generation: Generation) -> Generation:
    """A generation as one ensemble sees it.

    Of the others it has what the catalog tells; neither their part of the file nor the server's credentials. It has the
    models that its own agents name, and of the deliveries all: a request may ask for any.
    """
    network = generation.network
    ensemble = network.ensembles[name]
    routes = {agent.model for agent in ensemble.agents.values()}
    own = Network(
        name=network.name,
        ensembles={name: ensemble},
        models={route: models for route, models in network.models.items() if route in routes},
        deliveries=dict(network.deliveries),
        defaults=network.defaults,
        events_kept=network.events_kept,
    )
    return Generation(
        generation.number,
        own,
        generation.declared,
        {target: callers for target, callers in generation.wired_callers.items() if target[0] == name},
        generation.queues,
        {target: callers for target, callers in generation.leaving_callers.items() if target[0] == name},
    )
