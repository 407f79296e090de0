"""A discovered use, or what an agent looks up, can be met by somebody; if by nobody yet, that is worth a warning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.config.codes import Rule
from runner.config.draft import Draft, Member
from runner.config.ensemble_file import SearchFile, UseFile
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
    yield from _searches(draft)


def _searches(draft: Draft) -> Iterator[Diagnostic]:
    """What agents look up in the catalog."""
    for member in draft.members.values():
        for name, agent in member.file.agents.items():
            for place, search in agent.searches.items():
                strange = draft.words and any(tag not in draft.words for tag in search.tags)
                need = search.name, frozenset(map(draft.canonical, search.tags))
                if not strange and not draft.found(need).number(asking=member.name):
                    yield _nothing_found(draft, member, name, place, search)


def _nothing_found(draft: Draft, member: Member, agent: str, place: int, search: SearchFile) -> Diagnostic:
    span = member.written.span(("agents", agent, "tools", place, "catalog"))
    hint = _guess(draft, member, search.name) or f"`{agent}` gets no tool by it until an ensemble shares one"
    message = f"no other ensemble shares {_wanted('capability', search.name, search.tags)}"
    return Diagnostic(Rule.NO_PROVIDER, message, span, Severity.WARNING, hint)


def _unmet(draft: Draft, member: Member, name: str, use: UseFile) -> Diagnostic:
    kind = "task" if use.mode == "async" else "capability"
    place = ("uses", name, "discover" if use.discover is not None else "tags")
    hint = _guess(draft, member, use.discover) or "it waits until an ensemble shares one"
    message = f"no other ensemble shares {_wanted(kind, use.discover, use.tags)}"
    return Diagnostic(Rule.NO_PROVIDER, message, member.written.span(place), Severity.WARNING, hint)


def _wanted(kind: str, name: str | None, tags: Sequence[str]) -> str:
    called = f" called `{name}`" if name is not None else ""
    tagged = f" with {'the tag' if len(tags) == 1 else 'the tags'} {listed(tags)}" if tags else ""
    return f"a {kind}{called}{tagged}"


def _guess(draft: Draft, member: Member, name: str | None) -> str | None:
    if name is None:
        return None
    shared = {o.name for o in draft.offers() if o.share is not None and o.provider.name != member.name}
    guess = closest(name, shared - {name})
    return f"did you mean `{guess}`?" if guess else None
