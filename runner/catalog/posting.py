"""A posting: the capabilities that stand under one key of an index. It never changes; what is new shares the old.

Three shapes for three sizes, since most keys hold a few and some hold a hundred thousand. A few take the least room as
a tuple. Some are sets, which intersect fastest, and several of them, so that a change copies one. Many are a hash trie
(Bagwell, "Ideal Hash Trees"), of which a change copies one path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from operator import and_
from typing import TypeAlias, Union

from rpds import HashTrieSet

from runner.capability import CapabilityInfo

FEW = 12
SOME = 1024
_SHARDS = 8


@dataclass(frozen=True, slots=True)
class Shards:
    """A set in parts; each capability is in the part that its hash names."""

    parts: tuple[frozenset[CapabilityInfo], ...]
    size: int

    @classmethod
    def of(cls, capabilities: Iterable[CapabilityInfo]) -> Shards:
        parts: list[set[CapabilityInfo]] = [set() for _ in range(_SHARDS)]
        for capability in capabilities:
            parts[hash(capability) % _SHARDS].add(capability)
        return cls(tuple(map(frozenset, parts)), sum(map(len, parts)))

    def __reduce__(self) -> tuple[Callable[[Iterable[CapabilityInfo]], Shards], tuple[tuple[CapabilityInfo, ...]]]:
        """Another process hashes otherwise: it makes parts of its own."""
        return Shards.of, (tuple(self),)

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[CapabilityInfo]:
        return chain.from_iterable(self.parts)

    def __contains__(self, capability: CapabilityInfo) -> bool:
        return capability in self.parts[hash(capability) % _SHARDS]

    def __and__(self, other: Shards) -> tuple[CapabilityInfo, ...]:
        return tuple(chain.from_iterable(map(and_, self.parts, other.parts)))

    def changed(self, old: CapabilityInfo | None, new: CapabilityInfo | None) -> Shards:
        """With one in place of another, whose hash is the same; None: there was, or is, none."""
        place = hash(old or new) % _SHARDS
        part = set(self.parts[place])
        if old is not None:
            part.remove(old)
        if new is not None:
            part.add(new)
        size = self.size + len(part) - len(self.parts[place])
        return Shards((*self.parts[:place], frozenset(part), *self.parts[place + 1 :]), size)


Posting: TypeAlias = Union[tuple[CapabilityInfo, ...], Shards, "HashTrieSet[CapabilityInfo]"]
NOTHING: Posting = ()


def posting(capabilities: Sequence[CapabilityInfo]) -> Posting:
    """Of capabilities that are all different."""
    if len(capabilities) <= FEW:
        return tuple(capabilities)
    return Shards.of(capabilities) if len(capabilities) <= SOME else HashTrieSet(capabilities)


def with_one(before: Posting, new: CapabilityInfo) -> Posting:
    """With one more, which was not in it."""
    match before:
        case tuple():
            return posting((*before, new))
        case Shards():
            return before.changed(None, new) if len(before) < SOME else HashTrieSet(before).insert(new)
        case _:
            return before.insert(new)


def without_one(before: Posting, old: CapabilityInfo) -> Posting:
    """Without one that was in it. It keeps its shape, so that one that comes and goes costs little."""
    match before:
        case tuple():
            return tuple(one for one in before if one is not old)
        case Shards():
            return before.changed(old, None)
        case _:
            return before.remove(old)


def with_other(before: Posting, old: CapabilityInfo, new: CapabilityInfo) -> Posting:
    """With another one of the same provider and name in place of one that was in it."""
    match before:
        case tuple():
            return tuple(new if one is old else one for one in before)
        case Shards():
            return before.changed(old, new)
        case _:
            return before.remove(old).insert(new)


def common(postings: Iterable[Posting]) -> Posting:
    """Those that are in all of several postings, at least one, in no order. It costs what the smallest holds."""
    return reduce(_in_both, sorted(postings, key=len))


def _in_both(found: Posting, other: Posting) -> Posting:
    if isinstance(found, Shards) and isinstance(other, Shards):
        return found & other
    return tuple(one for one in found if one in other)
