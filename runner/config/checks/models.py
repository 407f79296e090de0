"""A model route leads somewhere."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config.codes import Rule
from runner.config.draft import Draft
from runner.diagnostics import Diagnostic, Severity


def routes_are_not_empty(draft: Draft) -> Iterator[Diagnostic]:
    """Every entry may be switched off by its `when:`; then whoever uses the route fails."""
    for name, models in draft.file.models.items():
        if models or draft.written.has_faults(("models", name)):
            continue
        switched_off = bool(draft.written.at(("models", name)))
        message = f"every model of `{name}` is switched off" if switched_off else f"the route `{name}` has no model"
        hint = "add a `provider: scripted` entry last, which needs no key"
        span = draft.written.span(("models", name), key=True)
        yield Diagnostic(Rule.EMPTY_ROUTE, message, span, Severity.WARNING, hint)
