"""A `python:` target is a module that parses and binds the name. Nothing of it is executed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runner.config.bindings import Broken, bound_names
from runner.config.codes import Rule
from runner.config.draft import Draft, Member
from runner.config.library import Unread, module_path
from runner.config.path import Path
from runner.config.suggest import did_you_mean
from runner.diagnostics import Diagnostic, Span

_MOST_NAMED = 6


def python_targets_are_bound(draft: Draft) -> Iterator[Diagnostic]:
    judge = _Judge(draft)
    for entry in _entries(draft):
        yield from judge.entry(entry)
    yield from judge.broken()


@dataclass(frozen=True, slots=True)
class _Entry:
    """What names a function: where, and in which words it is told of."""

    member: Member
    place: Path
    reference: str
    words: str

    @property
    def span(self) -> Span:
        return self.member.written.span(self.place)


def _entries(draft: Draft) -> Iterator[_Entry]:
    for member in draft.members.values():
        for name, tool in member.file.tools.items():
            yield _Entry(member, ("tools", name, "python"), tool.python, f"the tool `{member.name}/{name}`")
        if member.file.health is not None and member.file.health.python is not None:
            yield _Entry(member, ("health", "python"), member.file.health.python, f"the health of `{member.name}`")
        for name, task in member.file.tasks.items():
            for number, step in enumerate(task.steps):
                if step.python is not None:
                    place = ("tasks", name, "steps", number, "python")
                    yield _Entry(member, place, step.python, f"step {number + 1} of `{member.name}/{name}`")


class _Judge:
    """Parses each module once; one that does not parse is told once, at the first of those who name it."""

    def __init__(self, draft: Draft) -> None:
        self._library = draft.library
        self._modules: dict[str, frozenset[str] | Broken] = {}
        self._naming: defaultdict[str, list[_Entry]] = defaultdict(list)

    def entry(self, entry: _Entry) -> Iterator[Diagnostic]:
        module, _, function = entry.reference.partition(":")
        path, data = self._library.read(module_path(module), said_in=entry.member.written.file)
        if isinstance(data, Unread):
            yield Diagnostic(data.code, data.message, entry.span, hint=data.hint)
            return
        if path not in self._modules:
            self._modules[path] = bound_names(data)
        names = self._modules[path]
        if isinstance(names, Broken):
            self._naming[path].append(entry)
        elif function not in names:
            hint = did_you_mean(function, {name for name in names if not name.startswith("_")})
            yield Diagnostic(Rule.UNKNOWN_FUNCTION, f"`{path}` binds no `{function}`", entry.span, hint=hint)

    def broken(self) -> Iterator[Diagnostic]:
        """Every module that does not parse."""
        for path, entries in self._naming.items():
            reason = self._modules[path]
            if isinstance(reason, Broken):
                message = f"`{path}` does not parse: {reason.reason}"
                yield Diagnostic(Rule.INVALID_PYTHON, message, entries[0].span, hint=_where(path, reason, entries))


def _where(path: str, broken: Broken, entries: Sequence[_Entry]) -> str | None:
    """The line of the module, and who else names it."""
    line = [f"see {path}:{broken.line}"] if broken.line else []
    named = [entry.words for entry in entries]
    if len(named) > _MOST_NAMED:
        named = [*named[:_MOST_NAMED], f"{len(named) - _MOST_NAMED} more"]
    naming = [f"it is named by {', '.join(named[:-1])} and {named[-1]}"] if len(named) > 1 else []
    return "; ".join([*line, *naming]) or None
