"""With a vocabulary, every tag is one of its words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.config.codes import Rule
from runner.config.draft import Draft
from runner.config.path import Path
from runner.config.suggest import did_you_mean
from runner.config.written import Written
from runner.diagnostics import Diagnostic


def tags_are_in_the_vocabulary(draft: Draft) -> Iterator[Diagnostic]:
    """Aliases count. Without `tags:` every tag is fine."""
    if draft.file.tags is None or draft.written.is_doubtful(("tags",)):
        return
    yield from _ambiguous(draft)
    for member, name, use in draft.uses():
        for key, tags in (("tags", use.tags), ("prefer", use.prefer), ("avoid", use.avoid)):
            yield from _strangers(draft, member.written, ("uses", name, key), tags)
    yield from _searched(draft)
    for offer in draft.offers():
        if offer.share is not None and offer.share.tags:
            written = offer.provider.written
            place: Path = (*offer.place, "share")
            place = (*place, "tags") if isinstance(written.at(place), dict) else place
            yield from _strangers(draft, written, place, offer.share.tags)


def _searched(draft: Draft) -> Iterator[Diagnostic]:
    """What agents look up."""
    for member in draft.members.values():
        for name, agent in member.file.agents.items():
            for place, search in agent.searches.items():
                where: Path = ("agents", name, "tools", place, "catalog", "tags")
                yield from _strangers(draft, member.written, where, search.tags)


def _strangers(draft: Draft, written: Written, place: Path, tags: Sequence[str]) -> Iterator[Diagnostic]:
    for number, tag in enumerate(tags):
        if tag not in draft.words and not draft.written.is_doubtful(("tags", tag)):
            hint = did_you_mean(tag, draft.words, otherwise="add it to `tags:` in the network file")
            message = f"the tag `{tag}` is not in the vocabulary"
            yield Diagnostic(Rule.UNKNOWN_TAG, message, written.span((*place, number)), hint=hint)


def _ambiguous(draft: Draft) -> Iterator[Diagnostic]:
    meanings: dict[str, str] = {tag: tag for tag in draft.file.tags or {}}
    for tag, entry in (draft.file.tags or {}).items():
        for number, alias in enumerate(entry.aliases):
            if meanings.setdefault(alias, tag) != tag:
                span = draft.written.span(("tags", tag, "aliases", number))
                is_tag = meanings[alias] == alias
                message = (
                    f"the alias `{alias}` {'is a tag itself' if is_tag else f'already stands for `{meanings[alias]}`'}"
                )
                yield Diagnostic(Rule.AMBIGUOUS_TAG, message, span, hint="keep one of the two")
