"""A use does not require more authority than its provider is registered for."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config.codes import Rule
from runner.config.draft import LEVELS, Draft
from runner.diagnostics import Diagnostic


def authority_is_within_the_registered(draft: Draft) -> Iterator[Diagnostic]:
    """Where the provider is named; a discovered one is judged when it is called."""
    for member, name, use in draft.uses():
        offer = draft.offer(use.to) if use.to is not None else None
        if offer is None or offer.share is None or LEVELS.index(use.authority) <= LEVELS.index(offer.authority):
            continue
        place = (*offer.place, "share", "authority")
        if offer.provider.written.is_doubtful(place) or offer.provider.written.is_doubtful(("authority",)):
            continue
        message = f"this requires `{use.authority}`, but `{offer}` is registered for `{offer.authority}` at most"
        hint = f"lower it, or raise `authority:` of `{offer}`"
        span = member.written.span(("uses", name, "authority"))
        yield Diagnostic(Rule.AUTHORITY_EXCEEDED, message, span, hint=hint)
