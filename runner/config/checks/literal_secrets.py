"""A password stands for itself in a file: in every copy of it, under version control and in the history."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.config.codes import Rule
from runner.config.draft import Draft
from runner.diagnostics import Diagnostic, Severity

_REFERENCE = re.compile(r"\$\{[^}]*\}")
_PASSWORD = re.compile(r"://[^:/?#\s]*:(?P<password>[^/?#\s]+)@")
_HINT = "put it in `.env` and write `${env:NAME}` in its place"


def passwords_are_references(draft: Draft) -> Iterator[Diagnostic]:
    """Of the addresses that are asked as they are written."""
    for member in draft.members.values():
        place = ("health", "http")
        said = member.written.at(place) if member.file.health is not None and member.file.health.http else None
        found = _PASSWORD.search(_REFERENCE.sub("\0", said)) if isinstance(said, str) else None
        if found is not None and "\0" not in found["password"]:
            message = f"the health check of `{member.name}` has a password in its address"
            yield Diagnostic(Rule.LITERAL_SECRET, message, member.written.span(place), Severity.WARNING, _HINT)
