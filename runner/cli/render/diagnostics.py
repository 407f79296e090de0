"""Diagnostics in four formats. Each function takes them in file order and returns the whole text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

from pydantic import JsonValue

from runner.cli.render.masked import blotted
from runner.cli.render.style import cells, counted, paint, visible
from runner.diagnostics import Diagnostic, Severity, Span

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_WINDOW = 100
_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


def human(diagnostics: Sequence[Diagnostic], sources: Mapping[str, str], *, colour: bool = False) -> str:
    """Message, excerpt with carets, and hint of each, an empty line between."""
    return "\n\n".join(_told(diagnostic, sources, colour) for diagnostic in diagnostics)


def concise(diagnostics: Sequence[Diagnostic]) -> str:
    """One line each, the hint in parentheses."""
    return "\n".join(_heading(d, colour=False) + (f" (hint: {visible(d.hint)})" if d.hint else "") for d in diagnostics)


def as_json(diagnostics: Sequence[Diagnostic]) -> list[JsonValue]:
    return [
        {
            "code": d.code,
            "severity": d.severity.value,
            "message": d.message,
            "hint": d.hint,
            "file": d.span.file,
            "line": d.span.line,
            "column": d.span.column,
            "endLine": d.span.end_line,
            "endColumn": d.span.end_column,
        }
        for d in diagnostics
    ]


def github(diagnostics: Sequence[Diagnostic]) -> str:
    """Workflow commands, which GitHub shows beside the lines of a change."""
    return "\n".join(_annotation(d) for d in diagnostics)


def summary(diagnostics: Sequence[Diagnostic]) -> str:
    """`2 errors, 1 warning`; empty for none."""
    counts = Counter(d.severity for d in diagnostics)
    return ", ".join(counted(counts[severity], severity.value) for severity in Severity if counts[severity])


def _told(diagnostic: Diagnostic, sources: Mapping[str, str], colour: bool) -> str:
    parts = [_heading(diagnostic, colour=colour)]
    if diagnostic.span.file in sources:
        parts += _excerpt(sources[diagnostic.span.file], diagnostic.span, _COLOURS[diagnostic.severity], colour)
    if diagnostic.hint:
        parts.append(f"{paint('hint', 'cyan', colour=colour)}: {visible(diagnostic.hint)}")
    return "\n".join(parts)


def _heading(diagnostic: Diagnostic, *, colour: bool) -> str:
    span = diagnostic.span
    kind = paint(f"{diagnostic.severity}[{diagnostic.code}]", _COLOURS[diagnostic.severity], "bold", colour=colour)
    return f"{visible(span.file)}:{span.line}:{span.column}: {kind}: {visible(diagnostic.message)}"


def _excerpt(text: str, span: Span, colour_name: str, colour: bool) -> list[str]:
    """The line and the carets below it; nothing for a line that the text does not have or that is empty."""
    lines = _lines(text)
    if not 0 < span.line <= len(lines) or not lines[span.line - 1].strip():
        return []
    line = blotted(lines[span.line - 1])
    first = max(0, span.column - 1)
    last = min(len(line), span.end_column - 1) if span.end_line == span.line else len(line)
    start = max(0, first - _WINDOW // 2) if len(line) > _WINDOW else 0
    stop = start + _WINDOW
    shown = ("…" if start else "") + visible(line[start:stop]) + ("…" if stop < len(line) else "")
    margin = cells(("…" if start else "") + visible(line[start:first]))
    carets = max(1, cells(visible(line[first : min(last, stop)])))
    number = f"{span.line:>3}"
    return [
        f"{number} | {shown.rstrip()}",
        f"{' ' * len(number)} | {' ' * margin}{paint('^' * carets, colour_name, colour=colour)}",
    ]


@lru_cache(maxsize=16)
def _lines(text: str) -> list[str]:
    return _LINE_BREAK.split(text)


def _annotation(diagnostic: Diagnostic) -> str:
    span = diagnostic.span
    message = diagnostic.message + (f"\nhint: {diagnostic.hint}" if diagnostic.hint else "")
    place = f"file={_property(span.file)},line={span.line},col={span.column}"
    end = f"endLine={span.end_line},endColumn={span.end_column}"
    return f"::{diagnostic.severity} {place},{end},title={_property(diagnostic.code)}::{_escaped(message)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
