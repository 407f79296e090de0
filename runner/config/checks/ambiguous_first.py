"""Where several could be chosen, what decides is not just how they are called."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from runner.config.codes import Rule
from runner.config.draft import Draft, Found
from runner.config.suggest import listed
from runner.diagnostics import Diagnostic, Severity

_MOST_LISTED = 3


def first_is_clear(draft: Draft) -> Iterator[Diagnostic]:
    """`select: first`, written or not, takes the first in order of name."""
    for member, name, use, found in draft.discovered():
        number = found.number(asking=member.name)
        if use.select != "first" or number < 2:
            continue
        explicit = "select" in use.model_fields_set
        place = ("uses", name, "select" if explicit else "discover" if use.discover is not None else "tags")
        message = (
            f"{number} capabilities meet `{name}`, {_some(found, member.name, number)}: `first` goes by name alone"
        )
        hint = "choose with `select: least-loaded` or another strategy, or name one with `to:`"
        yield Diagnostic(Rule.AMBIGUOUS_FIRST, message, member.written.span(place), Severity.WARNING, hint)


def _some(found: Found, asking: str, number: int) -> str:
    some = [str(offer) for offer in islice(found.others(asking=asking), _MOST_LISTED)]
    return listed(some) if len(some) == number else f"such as {listed(some)}"
