"""A script's expressions and templates compile, and read only what their case gives them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, field

from pydantic import JsonValue

from runner.config.checks.templates import texts, unknown_variables
from runner.config.codes import Rule
from runner.config.draft import Draft, Script
from runner.config.path import Path
from runner.config.script_file import CaseFile
from runner.diagnostics import Diagnostic
from runner.templates import Compiled, TemplateProblem, compile_expression, compile_value

_VARIABLES = frozenset({"prompt", "agent", "instructions", "tools"})


def scripts_fit_together(draft: Draft) -> Iterator[Diagnostic]:
    for script in draft.scripts.values():
        for number, case in enumerate(script.file.cases):
            yield from _Case(script, ("cases", number)).faults(case)


@dataclass(slots=True)
class _Case:
    """One case; `known` are the variables so far, None where what gives them was not understood."""

    script: Script
    place: Path
    known: Set[str] | None = field(default=_VARIABLES)

    def faults(self, case: CaseFile) -> Iterator[Diagnostic]:
        if self.script.written.has_faults((*self.place, "turns")) or self.script.written.has_faults(
            (*self.place, "match")
        ):
            self.known = None
        if case.match is not None:
            yield from self._groups(case.match)
        yield from self._expression(("when",), case.when)
        for order, turn in enumerate(case.turns):
            yield from self._value(("turns", order, "input"), turn.input)
            yield from self._expression(("turns", order, "when"), turn.when)
            self._add({turn.variable})
        yield from self._value(("say",), case.say)

    def _groups(self, pattern: str) -> Iterator[Diagnostic]:
        try:
            self._add(re.compile(pattern).groupindex.keys())
        except (re.error, OverflowError, RecursionError) as error:
            self.known = None
            message = f"this is no regular expression: {error}"
            yield Diagnostic(Rule.INVALID_VALUE, message, self.script.written.span((*self.place, "match")))

    def _add(self, names: Set[str]) -> None:
        if self.known is not None:
            self.known = self.known | names

    def _value(self, below: Path, value: JsonValue) -> Iterator[Diagnostic]:
        for deeper, text in texts(value):
            yield from self._template((*self.place, *below, *deeper), compile_value, text)

    def _expression(self, below: Path, text: str | None) -> Iterator[Diagnostic]:
        if text is not None:
            yield from self._template((*self.place, *below), compile_expression, text)

    def _template(self, place: Path, compile: Callable[[str], Compiled], text: str) -> Iterator[Diagnostic]:
        try:
            compiled = compile(text)
        except TemplateProblem as problem:
            yield Diagnostic(Rule.INVALID_TEMPLATE, problem.message, self.script.written.span(place))
        else:
            if self.known is not None:
                yield from unknown_variables(self.script.written, place, compiled, self.known)
