"""Where several could be chosen, what decides is not just how they are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from runner.config.codes import Rule
from runner.config.draft import Draft, Found
from runner.config.ensemble_file import UseFile
from runner.config.suggest import listed
from runner.config.ways import possible
from runner.diagnostics import Diagnostic, Severity

_MOST_LISTED = 3


def first_is_clear(draft: Draft) -> Iterator[Diagnostic]:
    """`select: first`, written or not, takes the first in order of name of those that its tags put before others."""
    for member, name, use, found in possible(draft):
        number = found.number(asking=member.name)
        if use.select != "first" or number < 2 or _preferred(draft, use, found, member.name) == 1:
            continue
        explicit = "select" in use.model_fields_set
        place = ("uses", name, "select" if explicit else "discover" if use.discover is not None else "tags")
        message = (
            f"{number} capabilities meet `{name}`, {_some(found, member.name, number)}: `first` goes by name alone"
        )
        hint = "choose with `select: least-loaded` or another strategy, or name one with `to:`"
        yield Diagnostic(Rule.AMBIGUOUS_FIRST, message, member.written.span(place), Severity.WARNING, hint)


def _preferred(draft: Draft, use: UseFile, found: Found, asking: str) -> int | None:
    """Of how many the first is taken, where tags say which go before others: the preferred, and the avoided last."""
    if not use.prefer and not use.avoid:
        return None
    prefer, avoid = ({draft.canonical(tag) for tag in tags} for tags in (use.prefer, use.avoid))
    ranks: Counter[int] = Counter()
    for offer in found.others(asking=asking):
        tags = {draft.canonical(tag) for tag in offer.share.tags} if offer.share is not None else set()
        ranks[2 if tags & avoid else 0 if tags & prefer else 1] += 1
    return ranks[min(ranks)]


def _some(found: Found, asking: str, number: int) -> str:
    some = [str(offer) for offer in islice(found.others(asking=asking), _MOST_LISTED)]
    return listed(some) if len(some) == number else f"such as {listed(some)}"
