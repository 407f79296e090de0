"""Diagnostics as data: what is wrong, where, and what to do. Rendering lives in `cli/render`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of one file. Lines and columns count from 1; the end is exclusive, on `end_line`."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem in one place.

    `code` is kebab-case and stable: `run-network explain CODE` tells its story. `message` names the bad pattern,
    `hint` the remedy.
    """

    code: str
    message: str
    span: Span
    severity: Severity = Severity.ERROR
    hint: str | None = None


def in_file_order(diagnostics: list[Diagnostic], file_rank: dict[str, int]) -> list[Diagnostic]:
    """Sort as a reader meets them: by file in the order of reading, then by line and column, then by code."""
    return sorted(
        dict.fromkeys(diagnostics),
        key=lambda d: (file_rank.get(d.span.file, len(file_rank)), d.span.file, d.span.line, d.span.column, d.code),
    )
