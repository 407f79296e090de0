"""A script's expressions and templates compile."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import JsonValue

from runner.config.checks.templates import texts
from runner.config.codes import Rule
from runner.config.draft import Draft, Script
from runner.config.path import Path
from runner.diagnostics import Diagnostic
from runner.templates import TemplateProblem, compile_expression, compile_value


def scripts_fit_together(draft: Draft) -> Iterator[Diagnostic]:
    for script in draft.scripts.values():
        for number, case in enumerate(script.file.cases):
            place: Path = ("cases", number)
            if case.match is not None:
                yield from _pattern(script, (*place, "match"), case.match)
            yield from _expression(script, (*place, "when"), case.when)
            for order, turn in enumerate(case.turns):
                yield from _value(script, (*place, "turns", order, "input"), turn.input)
                yield from _expression(script, (*place, "turns", order, "when"), turn.when)
            yield from _value(script, (*place, "say"), case.say)


def _pattern(script: Script, place: Path, pattern: str) -> Iterator[Diagnostic]:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        message = f"this is no regular expression: {error}"
        yield Diagnostic(Rule.INVALID_VALUE, message, script.written.span(place))


def _value(script: Script, place: Path, value: JsonValue) -> Iterator[Diagnostic]:
    for below, text in texts(value):
        try:
            compile_value(text)
        except TemplateProblem as problem:
            span = script.written.span((*place, *below))
            yield Diagnostic(Rule.INVALID_TEMPLATE, problem.message, span)


def _expression(script: Script, place: Path, text: str | None) -> Iterator[Diagnostic]:
    try:
        if text is not None:
            compile_expression(text)
    except TemplateProblem as problem:
        yield Diagnostic(Rule.INVALID_TEMPLATE, problem.message, script.written.span(place))
