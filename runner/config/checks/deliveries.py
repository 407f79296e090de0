"""A delivery that is asked for by name is one of the network's, a task has the result, and a key can be rendered."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config.checks.templates import unknown_variables
from runner.config.codes import Rule
from runner.config.delivery_file import AskedDelivery, DeliveryFile
from runner.config.draft import Draft, Member
from runner.config.ensemble_file import UseFile
from runner.config.path import Path
from runner.config.suggest import did_you_mean
from runner.config.written import Written
from runner.diagnostics import Diagnostic
from runner.templates import TemplateProblem, compile_value

_SEEN_BY_KEYS = ("request",)


def deliveries_exist(draft: Draft) -> Iterator[Diagnostic]:
    for name, delivery in draft.file.deliveries.items():
        yield from _key(draft.written, ("deliveries", name), delivery)
    for member, name, use in draft.uses():
        yield from _asked(draft, member, ("uses", name, "delivery"), use.delivery)
        yield from _of_a_tool(draft, member, name, use)
    for member in draft.members.values():
        for name, schedule in member.file.schedules.items():
            yield from _asked(draft, member, ("schedules", name, "delivery"), schedule.delivery)


def _of_a_tool(draft: Draft, member: Member, name: str, use: UseFile) -> Iterator[Diagnostic]:
    offer = draft.offer(use.to) if use.to is not None else None
    if offer is None or offer.kind == "tasks" or use.delivery is None or use.delivery.method == "reply":
        return
    span = member.written.span(("uses", name, "delivery"), key=True)
    message = f"`delivery` on a use of the tool `{offer}`: a tool answers whoever calls it, and delivers nowhere else"
    yield Diagnostic(Rule.INVALID_VALUE, message, span, hint="take it out, or share a task")


def _asked(draft: Draft, member: Member, place: Path, delivery: AskedDelivery | None) -> Iterator[Diagnostic]:
    if delivery is None:
        return
    yield from _key(member.written, place, delivery)
    if delivery.name is None or delivery.name in draft.file.deliveries:
        return
    if not draft.written.is_doubtful(("deliveries", delivery.name)):
        hint = did_you_mean(
            delivery.name, draft.file.deliveries, otherwise="add it to `deliveries:` in the network file"
        )
        span = member.written.span(member.written.existing((*place, "name")))
        yield Diagnostic(Rule.UNKNOWN_DELIVERY, f"no delivery is called `{delivery.name}`", span, hint=hint)


def _key(written: Written, place: Path, delivery: DeliveryFile) -> Iterator[Diagnostic]:
    if delivery.store is None:
        return
    key = written.existing((*place, "store", "key"))
    try:
        compiled = compile_value(delivery.store.key)
    except TemplateProblem as problem:
        yield Diagnostic(Rule.INVALID_TEMPLATE, problem.message, written.span(key))
    else:
        yield from unknown_variables(written, key, compiled, _SEEN_BY_KEYS)
