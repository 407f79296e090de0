"""Who may come to a capability: the ensembles whose uses name it, and those whose needs it meets."""

from __future__ import annotations

from collections import defaultdict

from runner.config.draft import Draft, Need, Offer
from runner.config.ways import named_offers

Target = tuple[str, str]


class Callers:
    """Built once a file. A need that many have and many meet is kept once, not once for each pair."""

    def __init__(self, draft: Draft) -> None:
        self._named: defaultdict[Target, set[str]] = defaultdict(set)
        self._asking: defaultdict[Need, set[str]] = defaultdict(set)
        self._needs: defaultdict[Target, list[Need]] = defaultdict(list)
        for member, _, use in draft.uses():
            for offer in named_offers(draft, use):
                self._named[_target(offer)].add(member.name)
            need = draft.need(use)
            if need is not None:
                self._asking[need].add(member.name)
        for member in draft.members.values():
            for search in (one for agent in member.file.agents.values() for one in agent.searches.values()):
                self._asking[search.name, frozenset(map(draft.canonical, search.tags))].add(member.name)
        for need in self._asking:
            for offer in draft.found(need).offers:
                self._needs[_target(offer)].append(need)

    def only_of(self, offer: Offer, *, beside: Offer) -> frozenset[str]:
        """Every other ensemble that may come to the one and not to the other."""
        target, other = _target(offer), _target(beside)
        both = self._needs.get(other, [])
        found = set(self._named.get(target, ()))
        for need in self._needs.get(target, []):
            if need not in both:
                found |= self._asking[need]
        found -= self._named.get(other, set())
        for need in both if found else ():
            found -= self._asking[need]
        return frozenset(found - {offer.provider.name, beside.provider.name})

    def has(self, offer: Offer) -> bool:
        """Whether there is one."""
        target, own = _target(offer), {offer.provider.name}
        return bool(self._named.get(target)) or any(self._asking[need] - own for need in self._needs.get(target, ()))


def _target(offer: Offer) -> Target:
    return offer.provider.name, offer.name
