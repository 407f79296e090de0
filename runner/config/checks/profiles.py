"""A profile changes ensembles that exist."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config.codes import Rule
from runner.config.draft import Draft
from runner.config.suggest import did_you_mean
from runner.diagnostics import Diagnostic


def profiles_name_ensembles(draft: Draft) -> Iterator[Diagnostic]:
    for profile, changes in draft.file.profiles.items():
        for name in changes:
            if name in draft.members or name in draft.unread or draft.written.is_doubtful(("ensembles", name)):
                continue
            span = draft.written.span(("profiles", profile, name), key=True)
            hint = did_you_mean(name, draft.members)
            yield Diagnostic(Rule.UNKNOWN_ENSEMBLE, f"no ensemble is called `{name}`", span, hint=hint)
