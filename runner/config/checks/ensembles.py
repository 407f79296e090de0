"""A network has at least one ensemble."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config.codes import Rule
from runner.config.draft import Draft
from runner.diagnostics import Diagnostic


def network_has_ensembles(draft: Draft) -> Iterator[Diagnostic]:
    if draft.written.at(("ensembles",)) == {}:
        span = draft.written.span(("ensembles",))
        hint = "add one, or write a small network that runs with `run-network init DIR`"
        yield Diagnostic(Rule.INVALID_VALUE, "`ensembles` must not be empty", span, hint=hint)
