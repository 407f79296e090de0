"""The catalog: an immutable index of capabilities by name, tag and provider."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from runner.capability import CapabilityInfo
from runner.model import Discovery, Network
from runner.work import CapabilityType


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every capability on offer, in order of provider and name."""

    capabilities: tuple[CapabilityInfo, ...] = ()
    _by_name: Mapping[str, tuple[CapabilityInfo, ...]] = field(init=False, repr=False, compare=False)
    _by_tag: Mapping[str, frozenset[str]] = field(init=False, repr=False, compare=False)
    _by_target: Mapping[tuple[str, str], CapabilityInfo] = field(init=False, repr=False, compare=False)
    _by_provider: Mapping[str, tuple[CapabilityInfo, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names: dict[str, list[CapabilityInfo]] = defaultdict(list)
        providers: dict[str, list[CapabilityInfo]] = defaultdict(list)
        tags: dict[str, set[str]] = defaultdict(set)
        for capability in self.capabilities:
            names[capability.name].append(capability)
            providers[capability.provider].append(capability)
            for tag in capability.tags:
                tags[tag].add(f"{capability.provider}/{capability.name}")
        object.__setattr__(self, "_by_name", {name: tuple(found) for name, found in names.items()})
        object.__setattr__(self, "_by_tag", {tag: frozenset(found) for tag, found in tags.items()})
        object.__setattr__(self, "_by_target", {(c.provider, c.name): c for c in self.capabilities})
        object.__setattr__(self, "_by_provider", {name: tuple(found) for name, found in providers.items()})

    @classmethod
    def of(cls, capabilities: Iterable[CapabilityInfo]) -> Catalog:
        return cls(tuple(sorted(capabilities, key=lambda c: (c.provider, c.name))))

    def get(self, provider: str, name: str) -> CapabilityInfo | None:
        return self._by_target.get((provider, name))

    def of_provider(self, provider: str) -> tuple[CapabilityInfo, ...]:
        """What one ensemble offers, in order of name."""
        return self._by_provider.get(provider, ())

    def find(self, *, name: str | None = None, tags: Iterable[str] = ()) -> tuple[CapabilityInfo, ...]:
        """The capabilities with this name (any, if None) that carry all of these tags, in order of provider."""
        found = self.capabilities if name is None else self._by_name.get(name, ())
        wanted = [self._by_tag.get(tag, frozenset()) for tag in tags]
        return tuple(c for c in found if all(f"{c.provider}/{c.name}" in holders for holders in wanted))

    def providers_for(self, need: Discovery, *, asking: str) -> tuple[CapabilityInfo, ...]:
        """Who could meet a discovered need; never the ensemble that asks."""
        return tuple(c for c in self.find(name=need.name, tags=need.tags) if c.provider != asking)


def declared(network: Network) -> Catalog:
    """The catalog that the file promises: what is on offer once every ensemble is ready."""
    return Catalog.of(
        CapabilityInfo(
            name=name,
            type=kind,
            provider=ensemble.name,
            tags=share.tags,
            authority=share.authority,
            domain=ensemble.domain,
            description=(ensemble.tools.get(name) or ensemble.tasks[name]).description,
            input_schema=dict(task.input_schema) if (task := ensemble.tasks.get(name)) and task.input_schema else None,
            max_concurrent=ensemble.capacity.max_concurrent,
            queue_limit=ensemble.capacity.queue_limit if kind is CapabilityType.TASK else None,
            sla=ensemble.sla if kind is CapabilityType.TASK else None,
            cost=share.cost,
        )
        for ensemble in network.ensembles.values()
        for name, (kind, share) in ensemble.shared().items()
    )
