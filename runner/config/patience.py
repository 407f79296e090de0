"""How long each capability is given at most, by whoever asks it: the widest way from outside to it.

Every request begins outside, with the network's default deadline, at a capability that no ensemble uses. On its way
the deadline only shrinks: a use that says one gives that or what is left, whichever is less. Where several ways lead,
the widest counts, so that what does not fit in it fits in none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from runner.config.draft import Draft, Member, Need
from runner.config.ways import named_by, named_offers, unnamed
from runner.model import Defaults


class Capability(NamedTuple):
    provider: str
    name: str


class Whole(NamedTuple):
    """An ensemble, in what it does for any of its capabilities."""

    ensemble: str


Place = Capability | Whole | Need


@dataclass(frozen=True, slots=True)
class Given:
    """The most that a place is given. `by` is the use that says so, `ensemble/use`; None where it is the default."""

    most: timedelta
    by: str | None = None


@dataclass(frozen=True, slots=True)
class _Way:
    to: Place
    use: str | None = None
    limit: timedelta | None = None

    def leaves(self, given: Given) -> Given:
        """What is left at the other end."""
        return Given(self.limit, self.use) if self.limit is not None and self.limit <= given.most else given


def patience(draft: Draft) -> Mapping[Place, Given]:
    """What every capability is given, and every ensemble as a whole."""
    ways = _ways(draft)
    reached = {way.to for begun in ways.values() for way in begun}
    outside = Given(draft.file.defaults.deadline or Defaults().deadline)
    capabilities = [Capability(offer.provider.name, offer.name) for offer in draft.offers()]
    given: dict[Place, Given] = {}
    _widen(given, [(outside, place) for place in capabilities if place not in reached], ways)
    _widen(given, [(outside, place) for place in capabilities if place not in given], ways)  # rings, entered anywhere
    return given


def _widen(given: dict[Place, Given], begin: Iterable[tuple[Given, Place]], ways: Mapping[Place, list[_Way]]) -> None:
    """Follow the widest way first, after Dijkstra: what a place is given when it is come to is the most there is."""
    queue = [(-start.most, number, start, place) for number, (start, place) in enumerate(begin)]
    heapify(queue)
    number = len(queue)
    while queue:
        _, _, here, place = heappop(queue)
        if place in given:
            continue
        given[place] = here
        for way in ways.get(place, ()):
            if way.to not in given:
                left = way.leaves(here)
                heappush(queue, (-left.most, number := number + 1, left, way.to))


def _ways(draft: Draft) -> Mapping[Place, list[_Way]]:
    ways: dict[Place, list[_Way]] = defaultdict(list)
    for member in draft.members.values():
        for offer in draft.offers_of(member.name).values():
            ways[Capability(member.name, offer.name)].append(_Way(Whole(member.name)))
        for name, task in member.file.tasks.items():
            for use in sorted({*named_by(member, task)} & member.file.uses.keys()):
                ways[Capability(member.name, name)] += _led(draft, member, use)
        for use in sorted(unnamed(member)):
            ways[Whole(member.name)] += _led(draft, member, use)
    for need in {need for _, _, use in draft.uses() if (need := draft.need(use)) is not None}:
        ways[need] = [_Way(Capability(offer.provider.name, offer.name)) for offer in draft.found(need).offers]
    return ways


def _led(draft: Draft, member: Member, name: str) -> Iterator[_Way]:
    """Where a use leads, and its fallback: a need that several may meet is a place of its own."""
    use, label = member.file.uses[name], f"{member.name}/{name}"
    need = draft.need(use)
    if need is not None:
        yield _Way(need, label, use.deadline)
    for offer in named_offers(draft, use):
        yield _Way(Capability(offer.provider.name, offer.name), label, use.deadline)
