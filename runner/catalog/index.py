"""The index: immutable, so that whoever holds one may go on with it while the next is made from it.

A change makes a new catalog in the time that the changed record takes, whatever the size of the rest: both share all
that did not change.

Under each key stand the numbers of its capabilities, as a compressed bitmap (Lemire et al., "Roaring Bitmaps"): the
numbers under two keys are compared in a kilobyte or two, where sets of the capabilities themselves are spread over
memory that no cache holds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from operator import and_, attrgetter
from typing import NamedTuple, TypeAlias

from pyroaring import FrozenBitMap
from rpds import HashTrieMap

from runner.capability import CapabilityInfo
from runner.catalog.shelf import Shelf
from runner.model import Discovery
from runner.offer import BEST_FIRST
from runner.registration import Registration
from runner.work import CapabilityType

Index: TypeAlias = "HashTrieMap[str, FrozenBitMap]"
Keys: TypeAlias = Callable[[CapabilityInfo], Iterable[str]]

_NONE = FrozenBitMap()
_PROVIDER, _NAME = attrgetter("provider"), attrgetter("name")


class _Indexes(NamedTuple):
    names: Index
    tags: Index
    providers: Index
    domains: Index


_KEYS: tuple[Keys, ...] = (
    lambda c: (c.name,),
    lambda c: c.tags,
    lambda c: (c.provider,),
    lambda c: () if c.domain is None else (c.domain,),
)
"""Under which keys a capability stands, for each index."""


@dataclass(frozen=True)
class Catalog:
    """Capabilities by name, tag, provider and domain, no two of the same provider and name.

    Some come from registrations, one of each ensemble on each runner: of what several replicas offer, the word of the
    best counts, and of these the one whose runner is named first.
    """

    aliases: Mapping[str, str] = field(default_factory=dict)
    """What other words for tags stand for."""
    _shelf: Shelf = field(default_factory=Shelf, repr=False)
    _by: _Indexes = field(default=_Indexes(*(HashTrieMap() for _ in _KEYS)), repr=False)
    _records: HashTrieMap[str, tuple[Registration, ...]] = field(default_factory=HashTrieMap, repr=False)
    """The registrations of each ensemble."""

    @classmethod
    def of(cls, capabilities: Iterable[CapabilityInfo], aliases: Mapping[str, str] | None = None) -> Catalog:
        """With all of these from the start. Of two with the same provider and name the last counts."""
        different = {(c.provider, c.name): c for c in capabilities}.values()
        return cls(aliases or {}, Shelf.of(different), _Indexes(*(_built(different, keys) for keys in _KEYS)))

    def __len__(self) -> int:
        return len(self._shelf)

    @cached_property
    def capabilities(self) -> tuple[CapabilityInfo, ...]:
        """Every one, in order of provider and name."""
        return _ordered(self._shelf.every())

    def get(self, provider: str, name: str) -> CapabilityInfo | None:
        numbers = self._by.names.get(name, _NONE) & self._by.providers.get(provider, _NONE)
        return next(iter(self._shelf.numbered(numbers)), None)

    def of_provider(self, provider: str) -> tuple[CapabilityInfo, ...]:
        """What an ensemble offers, in order of name."""
        return _ordered(self._shelf.numbered(self._by.providers.get(provider, _NONE)))

    def find(
        self,
        *,
        name: str | None = None,
        tags: Iterable[str] = (),
        any_tags: Iterable[str] = (),
        type: CapabilityType | None = None,
        domain: str | None = None,
    ) -> tuple[CapabilityInfo, ...]:
        """Those that meet every condition given, in order of provider and name; without one, all.

        They carry all of `tags` and, where `any_tags` names some, at least one of those. A tag may be an alias.
        """
        wanted = [self._by.tags.get(self.canonical(tag), _NONE) for tag in tags]
        if name is not None:
            wanted.append(self._by.names.get(name, _NONE))
        if domain is not None:
            wanted.append(self._by.domains.get(domain, _NONE))
        if either := [self._by.tags.get(self.canonical(tag), _NONE) for tag in any_tags]:
            wanted.append(FrozenBitMap.union(*either))
        found: Iterable[CapabilityInfo] = self._shelf.numbered(reduce(and_, wanted)) if wanted else self.capabilities
        if type is not None:
            found = [one for one in found if one.type is type]
        return _ordered(found)

    def canonical(self, tag: str) -> str:
        """The tag that a word stands for."""
        return self.aliases.get(tag, tag)

    def providers_for(self, need: Discovery, *, asking: str) -> tuple[CapabilityInfo, ...]:
        """Who could meet a discovered need; never the ensemble that asks."""
        return tuple(c for c in self.find(name=need.name, tags=need.tags) if c.provider != asking)

    def put(self, registration: Registration) -> Catalog:
        """With what an ensemble registered on a runner, in place of what it had registered there before."""
        others = self._others(registration.ensemble, registration.runner)
        return self._with(registration.ensemble, (*others, registration))

    def drop(self, ensemble: str, runner: str) -> Catalog:
        """Without what an ensemble registered on a runner."""
        return self._with(ensemble, self._others(ensemble, runner))

    def _others(self, ensemble: str, runner: str) -> tuple[Registration, ...]:
        return tuple(record for record in self._records.get(ensemble, ()) if record.runner != runner)

    def _with(self, ensemble: str, records: tuple[Registration, ...]) -> Catalog:
        numbers = self._by.providers.get(ensemble, _NONE)
        before = {one.name: number for one, number in zip(self._shelf.numbered(numbers), numbers, strict=True)}
        worst_first = sorted(records, key=_rank, reverse=True)
        after = {one.name: one for record in worst_first for one in record.capabilities}
        shelf, by = self._shelf, self._by
        for name in before.keys() | after.keys():
            number, new = before.get(name), after.get(name)
            old = None if number is None else shelf[number]
            if old is new or old == new:
                continue
            number = shelf.next_number if number is None else number
            shelf = shelf.put(number, new)
            by = _Indexes(*(_moved(index, keys, number, old, new) for index, keys in zip(by, _KEYS, strict=True)))
        kept = self._records.insert(ensemble, records) if records else self._records.discard(ensemble)
        return replace(self, _shelf=shelf, _by=by, _records=kept)


def _built(capabilities: Iterable[CapabilityInfo], keys: Keys) -> Index:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for number, capability in enumerate(capabilities):
        for key in keys(capability):
            found[key].append(number)
    return HashTrieMap({key: FrozenBitMap(numbers) for key, numbers in found.items()})


def _moved(index: Index, keys: Keys, number: int, old: CapabilityInfo | None, new: CapabilityInfo | None) -> Index:
    """The index with a number under the keys of what has it now, and no longer under those of what had it."""
    before, after = tuple(keys(old)) if old else (), tuple(keys(new)) if new else ()
    if before == after:
        return index
    one = FrozenBitMap((number,))
    for key in after:
        if key not in before:
            index = index.insert(key, index.get(key, _NONE) | one)
    for key in dict.fromkeys(before):
        if key not in after:
            left = index[key] - one
            index = index.insert(key, left) if left else index.remove(key)
    return index


def _rank(record: Registration) -> tuple[int, str]:
    return BEST_FIRST.index(record.state), record.runner


def _ordered(found: Iterable[CapabilityInfo]) -> tuple[CapabilityInfo, ...]:
    ordered = list(found)
    if len({one.provider for one in ordered}) < len(ordered):
        ordered.sort(key=_NAME)
    ordered.sort(key=_PROVIDER)  # one string at a time is twice as fast as pairs of them
    return tuple(ordered)
