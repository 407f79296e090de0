"""The key of an affinity compiles, and reads what there is when a provider is chosen."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config.checks.templates import unknown_variables
from runner.config.codes import Rule
from runner.config.draft import Draft
from runner.config.path import Path
from runner.diagnostics import Diagnostic
from runner.templates import TemplateProblem, compile_value

_VARIABLES = frozenset({"context", "input", "request"})


def affinity_keys_compile(draft: Draft) -> Iterator[Diagnostic]:
    for member, name, use in draft.uses():
        if use.key is None:
            continue
        place: Path = ("uses", name, "key")
        try:
            compiled = compile_value(use.key)
        except TemplateProblem as problem:
            yield Diagnostic(Rule.INVALID_TEMPLATE, problem.message, member.written.span(place))
        else:
            yield from unknown_variables(member.written, place, compiled, _VARIABLES)
