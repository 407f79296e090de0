"""A delivery that is asked for by name is one of the network's."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config.codes import Rule
from runner.config.delivery_file import AskedDelivery
from runner.config.draft import Draft, Member
from runner.config.path import Path
from runner.config.suggest import did_you_mean
from runner.diagnostics import Diagnostic


def deliveries_exist(draft: Draft) -> Iterator[Diagnostic]:
    for member, name, use in draft.uses():
        yield from _asked(draft, member, ("uses", name, "delivery"), use.delivery)
    for member in draft.members.values():
        for name, schedule in member.file.schedules.items():
            yield from _asked(draft, member, ("schedules", name, "delivery"), schedule.delivery)


def _asked(draft: Draft, member: Member, place: Path, delivery: AskedDelivery | None) -> Iterator[Diagnostic]:
    if delivery is None or delivery.name is None or delivery.name in draft.file.deliveries:
        return
    if not draft.written.is_doubtful(("deliveries", delivery.name)):
        hint = did_you_mean(
            delivery.name, draft.file.deliveries, otherwise="add it to `deliveries:` in the network file"
        )
        span = member.written.span(member.written.existing((*place, "name")))
        yield Diagnostic(Rule.UNKNOWN_DELIVERY, f"no delivery is called `{delivery.name}`", span, hint=hint)
