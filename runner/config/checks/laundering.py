"""Whoever may carry little does not come to much through somebody else, unasked."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from runner.config.callers import Callers
from runner.config.codes import Rule
from runner.config.draft import LEVELS, Draft, Member, Need, Offer
from runner.config.ensemble_file import SearchFile, UseFile
from runner.config.path import Path
from runner.config.suggest import listed
from runner.config.ways import named_by, named_offers, unnamed
from runner.diagnostics import Diagnostic, Severity

_MOST_LISTED = 3


def authority_does_not_rise_unasked(draft: Draft) -> Iterator[Diagnostic]:
    """A capability leads to one that is registered for more, and requires nothing on the way, while others use it who
    have no use of that one themselves.

    On a longer way the level rises somewhere too: it is told of there.
    """
    if not any(offer.share is not None and _level(offer) for offer in draft.offers()):
        return
    callers, peaks = Callers(draft), _Peaks(draft)
    for member in draft.members.values():
        for name, use in member.file.uses.items():
            peak = peaks.of(member, use)
            if peak is not None and LEVELS.index(use.authority) < _level(peak):
                hint = f"add `authority: {peak.authority}` to this use, or "
                yield from _risen(callers, draft, _leading(draft, member, name), peak, (member, ("uses", name), hint))
        for agent, written in member.file.agents.items():
            for number, search in written.searches.items():
                peak = peaks.of_search(member, search)
                if peak is not None and _level(peak):
                    place = (member, ("agents", agent, "tools", number), "")
                    yield from _risen(callers, draft, _working(draft, member, agent), peak, place)


class _Peaks:
    """The capability that is registered for most of those a use may come to. Each need is looked through once."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._of_need: dict[Need, list[Offer]] = {}

    def of_search(self, member: Member, search: SearchFile) -> Offer | None:
        """Of those that an agent may find."""
        found = self._highest((search.name, frozenset(map(self._draft.canonical, search.tags))))
        return max((offer for offer in found if offer.provider is not member), key=_level, default=None)

    def of(self, member: Member, use: UseFile) -> Offer | None:
        need = self._draft.need(use)
        found = self._highest(need) if need is not None else []
        others = [offer for offer in (*named_offers(self._draft, use), *found) if offer.provider is not member]
        return max(others, key=_level, default=None)

    def _highest(self, need: Need) -> list[Offer]:
        """The highest that meets a need, and the highest of another provider."""
        known = self._of_need.get(need)
        if known is None:
            by_provider: dict[str, Offer] = {}
            for offer in sorted(self._draft.found(need).offers, key=_level, reverse=True):
                by_provider.setdefault(offer.provider.name, offer)
            known = self._of_need[need] = list(by_provider.values())[:2]
        return known


def _risen(
    callers: Callers, draft: Draft, leading: Iterator[Offer], peak: Offer, at: tuple[Member, Path, str]
) -> Iterator[Diagnostic]:
    """At the use or the search, for the first capability that it makes one with nobody asked."""
    member, place, remedy = at
    for offer in leading:
        if offer.share is None or _level(offer) >= _level(peak):
            continue
        through = sorted(callers.only_of(offer, beside=peak)) + _clients(draft, offer, peak)
        if through:
            message = (
                f"`{offer}` ({offer.authority}) leads {_some(through)}, without a use of it, to `{peak}` "
                f"({peak.authority}), and requires no authority on the way"
            )
            hint = f"{remedy}register `{offer}` as `{peak.authority}`"
            span = member.written.span(place, key=True)
            yield Diagnostic(Rule.AUTHORITY_LAUNDERING, message, span, Severity.WARNING, hint)
            return


def _some(names: list[str]) -> str:
    more = len(names) - _MOST_LISTED
    return listed(names[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


def _level(offer: Offer) -> int:
    return LEVELS.index(offer.authority)


def _leading(draft: Draft, member: Member, name: str) -> Iterator[Offer]:
    """The capabilities of an ensemble that ask a use: the tasks that name it, or any if only Python can."""
    offers = draft.offers_of(member.name)
    if name in unnamed(member):
        yield from offers.values()
    for task, file in member.file.tasks.items():
        if name in named_by(member, file):
            yield offers[task]


def _working(draft: Draft, member: Member, agent: str) -> Iterator[Offer]:
    """The tasks of an ensemble that let an agent work."""
    offers = draft.offers_of(member.name)
    for name, task in member.file.tasks.items():
        if any(step.agent == agent for step in task.steps):
            yield offers[name]


def _clients(draft: Draft, offer: Offer, peak: Offer) -> list[str]:
    """The clients from outside that may ask the one and not the other."""
    return sorted(
        name
        for name, client in draft.file.clients.items()
        if any(fnmatchcase(str(offer), pattern) for pattern in client.scope)
        and not any(fnmatchcase(str(peak), pattern) for pattern in client.scope)
    )
