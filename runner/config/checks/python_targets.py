"""A `python:` target is a module that parses and binds the name. Nothing of it is executed."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config.bindings import Broken, bound_names
from runner.config.codes import Rule
from runner.config.draft import Draft, Member
from runner.config.library import Unread, module_path
from runner.config.path import Path
from runner.config.suggest import did_you_mean
from runner.diagnostics import Diagnostic


def python_targets_are_bound(draft: Draft) -> Iterator[Diagnostic]:
    judge = _Judge(draft)
    for member in draft.members.values():
        for name, tool in member.file.tools.items():
            yield from judge.target(member, ("tools", name, "python"), tool.python)
        if member.file.health is not None and member.file.health.python is not None:
            yield from judge.target(member, ("health", "python"), member.file.health.python)
        for name, task in member.file.tasks.items():
            for number, step in enumerate(task.steps):
                if step.python is not None:
                    yield from judge.target(member, ("tasks", name, "steps", number, "python"), step.python)


class _Judge:
    """Parses each module once."""

    def __init__(self, draft: Draft) -> None:
        self._library = draft.library
        self._modules: dict[str, frozenset[str] | Broken] = {}

    def target(self, member: Member, place: Path, reference: str) -> Iterator[Diagnostic]:
        module, _, function = reference.partition(":")
        path, data = self._library.read(module_path(module), said_in=member.written.file)
        if isinstance(data, Unread):
            yield Diagnostic(data.code, data.message, member.written.span(place), hint=data.hint)
            return
        if path not in self._modules:
            self._modules[path] = bound_names(data)
        names = self._modules[path]
        if isinstance(names, Broken):
            message = f"`{path}` does not parse: {names.reason}"
            hint = f"see {path}:{names.line}" if names.line else None
            yield Diagnostic(Rule.INVALID_PYTHON, message, member.written.span(place), hint=hint)
        elif function not in names:
            hint = did_you_mean(function, {name for name in names if not name.startswith("_")})
            message = f"`{path}` binds no `{function}`"
            yield Diagnostic(Rule.UNKNOWN_FUNCTION, message, member.written.span(place), hint=hint)
