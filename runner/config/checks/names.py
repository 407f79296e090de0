"""Two things of one ensemble do not go by one name."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config.codes import Rule
from runner.config.draft import Draft, Member
from runner.diagnostics import Diagnostic


def names_are_told_apart(draft: Draft) -> Iterator[Diagnostic]:
    """A task and a tool share one namespace for callers; uses and tools share one for the ensemble itself."""
    for member in draft.members.values():
        yield from _clashes(
            member, "tasks", Rule.DUPLICATE_CAPABILITY, "a tool and a task of `{ensemble}` are both called `{name}`"
        )
        yield from _clashes(
            member, "uses", Rule.NAME_CLASH, "a tool and a use of `{ensemble}` are both called `{name}`"
        )


def _clashes(member: Member, section: str, code: Rule, message: str) -> Iterator[Diagnostic]:
    others = member.file.tasks.keys() if section == "tasks" else member.file.uses.keys()
    for name in member.file.tools:
        if name in others:
            spans = [member.written.span((kind, name), key=True) for kind in ("tools", section)]
            text = message.format(ensemble=member.name, name=name)
            yield Diagnostic(code, text, max(spans), hint=f"rename one; the first is on line {min(spans).line}")
