"""A discovered use has somebody to choose from, or says what happens without the one there is."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config.codes import Rule
from runner.config.draft import Draft
from runner.config.ways import possible
from runner.diagnostics import Diagnostic, Severity


def needs_have_a_choice(draft: Draft) -> Iterator[Diagnostic]:
    """A `fallback` is an answer."""
    for member, name, use, found in possible(draft):
        if use.fallback is not None or found.number(asking=member.name) != 1:
            continue
        (only,) = found.others(asking=member.name)
        place = ("uses", name, "discover" if use.discover is not None else "tags")
        message = f"`{only}` alone meets `{name}`: there is nothing to discover"
        hint = f"name it with `to: {only}`, or add `fallback: {only}` to have it while the catalog is away"
        yield Diagnostic(Rule.SINGLE_PROVIDER, message, member.written.span(place), Severity.WARNING, hint)
