"""A use by tags alone opens every subject: who carries the tags is known only when it is asked."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config.codes import Rule
from runner.config.draft import Draft
from runner.diagnostics import Diagnostic, Severity


def needs_are_named(draft: Draft) -> Iterator[Diagnostic]:
    """Where more is shared than the tags ask for. A need that nobody meets is told of elsewhere."""
    shared = sum(1 for offer in draft.offers() if offer.share is not None)
    for member, name, use, found in draft.discovered():
        if use.discover is not None:
            continue
        own = sum(1 for offer in draft.offers_of(member.name).values() if offer.share is not None)
        meeting, others = found.number(asking=member.name), shared - own
        if 0 < meeting < others:
            message = (
                f"by tags alone, `{name}` lets `{member.name}` call all {others} capabilities of the network, "
                f"where {meeting} {'carries' if meeting == 1 else 'carry'} the tags"
            )
            hint = "name what it needs with `discover:`; the tags can stay"
            span = member.written.span(("uses", name, "tags"), key=True)
            yield Diagnostic(Rule.WIDE_PERMISSIONS, message, span, Severity.WARNING, hint)
