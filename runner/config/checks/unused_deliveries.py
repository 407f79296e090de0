"""A delivery of the network is named by somebody."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config.codes import Rule
from runner.config.draft import Draft
from runner.diagnostics import Diagnostic, Severity


def deliveries_are_named(draft: Draft) -> Iterator[Diagnostic]:
    """By a use or a schedule."""
    if not draft.file.deliveries:
        return
    named = {use.delivery.name for _, _, use in draft.uses() if use.delivery is not None}
    for member in draft.members.values():
        named |= {schedule.delivery.name for schedule in member.file.schedules.values() if schedule.delivery}
    for name in draft.file.deliveries:
        if name not in named:
            span = draft.written.span(("deliveries", name), key=True)
            message = f"no use and no schedule names the delivery `{name}`"
            hint = f"take it out, unless callers ask for it: `call --delivery {name}`"
            yield Diagnostic(Rule.UNUSED_DELIVERY, message, span, Severity.WARNING, hint)
