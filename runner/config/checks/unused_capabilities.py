"""What is shared is used by somebody."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config.callers import Callers
from runner.config.codes import Rule
from runner.config.draft import Draft, Member, Offer
from runner.diagnostics import Diagnostic, Severity


def capabilities_are_used(draft: Draft) -> Iterator[Diagnostic]:
    """By a use that may come to it, a client whose scope names it, or its own ensemble.

    Somebody has to be asked from outside, where every request begins: nobody else uses the ensembles that only use
    others, and none of theirs is told of. Nor is anything where no ensemble uses another.
    """
    if not any(member.file.uses for member in draft.members.values()):
        return
    callers, named = Callers(draft), _named_by_clients(draft)
    for member in draft.members.values():
        offers = [offer for offer in draft.offers_of(member.name).values() if offer.share is not None]
        unused = [offer for offer in offers if not callers.has(offer) and str(offer) not in named]
        if len(unused) == len(offers) and member.file.uses:
            continue
        own = _named_by_itself(member) if unused else set()
        yield from (_unused(offer) for offer in unused if offer.name not in own)


def _unused(offer: Offer) -> Diagnostic:
    span = offer.provider.written.span(offer.place, key=True)
    message = f"`{offer}` is shared, and no other ensemble uses it"
    hint = "take its `share` out, unless it is there for callers from outside"
    return Diagnostic(Rule.UNUSED_CAPABILITY, message, span, Severity.WARNING, hint)


def _named_by_clients(draft: Draft) -> set[str]:
    named: set[str] = set()
    for pattern in {pattern for client in draft.file.clients.values() for pattern in client.scope}:
        ensemble, _, capability = pattern.partition("/")
        for name in draft.members if ensemble == "*" else (ensemble,):
            named |= {f"{name}/{offer}" for offer in draft.offers_of(name) if capability in ("", "*", offer)}
    return named


def _named_by_itself(member: Member) -> set[str]:
    """What the ensemble's own steps, agents and schedules name."""
    file = member.file
    own = {step.tool for task in file.tasks.values() for step in task.steps if step.tool is not None}
    own |= {tool for agent in file.agents.values() for tool in agent.named.values()}
    return own | {schedule.task for schedule in file.schedules.values()}
