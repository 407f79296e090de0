"""A named provider exists and shares what is asked of it."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config.codes import Rule
from runner.config.draft import Draft, Member
from runner.config.path import Path
from runner.config.suggest import closest, did_you_mean
from runner.diagnostics import Diagnostic


def static_targets_are_shared(draft: Draft) -> Iterator[Diagnostic]:
    for member, name, use in draft.uses():
        if use.to is not None:
            yield from _missing(draft, member, ("uses", name, "to"), use.to)
        if use.fallback is not None:
            yield from _missing(draft, member, ("uses", name, "fallback"), use.fallback)


def _missing(draft: Draft, asking: Member, place: Path, target: str) -> Iterator[Diagnostic]:
    ensemble, _, capability = target.partition("/")
    provider = draft.members.get(ensemble)
    offer = draft.offer(target)
    if ensemble in draft.unread or (offer is not None and offer.share is not None):
        return
    span = asking.written.span(place)
    if provider is None:
        if not draft.written.is_doubtful(("ensembles", ensemble)):
            hint = _elsewhere(draft, capability, ensemble)
            yield Diagnostic(Rule.UNKNOWN_ENSEMBLE, f"no ensemble is called `{ensemble}`", span, hint=hint)
    elif offer is None:
        if not any(provider.written.is_doubtful((kind, capability)) for kind in ("tools", "tasks")):
            shared = [o.name for o in draft.offers_of(ensemble).values() if o.share is not None]
            hint = did_you_mean(capability, shared, otherwise=f"`{ensemble}` shares nothing" if not shared else None)
            message = f"`{ensemble}` has no tool or task called `{capability}`"
            yield Diagnostic(Rule.UNKNOWN_CAPABILITY, message, span, hint=hint)
    elif not provider.written.is_doubtful((*offer.place, "share")):
        message, hint = f"`{ensemble}` does not share `{capability}`", "add `share: true` to it"
        yield Diagnostic(Rule.NOT_SHARED, message, span, hint=hint)


def _elsewhere(draft: Draft, capability: str, ensemble: str) -> str | None:
    """The ensemble that was meant, by its name, or by what it shares."""
    if (guess := closest(ensemble, draft.members)) is not None:
        return f"did you mean `{guess}/{capability}`?"
    if offers := draft.sharing(capability):
        return f"did you mean `{offers[0]}`?"
    return did_you_mean(ensemble, draft.members)
