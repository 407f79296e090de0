"""A discovered use can be met by somebody; if by nobody yet, that is worth a warning."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config.codes import Rule
from runner.config.draft import Draft, Member
from runner.config.ensemble_file import UseFile
from runner.config.suggest import closest, listed
from runner.diagnostics import Diagnostic, Severity


def discovered_uses_have_providers(draft: Draft) -> Iterator[Diagnostic]:
    """Silent while anything was unreadable: the provider may be in there."""
    if not draft.is_whole:
        return
    for member, name, use, found in draft.discovered():
        if draft.words and any(tag not in draft.words for tag in use.tags):
            continue
        if not found.asked_by(use).number(asking=member.name):
            yield _unmet(draft, member, name, use)


def _unmet(draft: Draft, member: Member, name: str, use: UseFile) -> Diagnostic:
    called = f" called `{use.discover}`" if use.discover is not None else ""
    tagged = f" with {'the tag' if len(use.tags) == 1 else 'the tags'} {listed(use.tags)}" if use.tags else ""
    kind = "task" if use.mode == "async" else "capability"
    place = ("uses", name, "discover" if use.discover is not None else "tags")
    shared = {o.name for o in draft.offers() if o.share is not None and o.provider.name != member.name}
    guess = closest(use.discover, shared - {use.discover}) if use.discover is not None else None
    hint = f"did you mean `{guess}`?" if guess else "it waits until an ensemble shares one"
    message = f"no other ensemble shares a {kind}{called}{tagged}"
    return Diagnostic(Rule.NO_PROVIDER, message, member.written.span(place), Severity.WARNING, hint)
