"""A review asks a role that somebody can hold."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config.codes import Rule
from runner.config.draft import Draft
from runner.config.suggest import did_you_mean
from runner.diagnostics import Diagnostic

BUILT_IN = "operator"


def roles_exist(draft: Draft) -> Iterator[Diagnostic]:
    known = {BUILT_IN, *draft.file.roles}
    for member, name, task in draft.tasks():
        for number, step in enumerate(task.steps):
            role = step.review.role if step.review is not None else None
            if role is None or role in known or draft.written.is_doubtful(("roles", role)):
                continue
            span = member.written.span(("tasks", name, "steps", number, "review", "role"))
            yield Diagnostic(Rule.UNKNOWN_ROLE, f"no role is called `{role}`", span, hint=did_you_mean(role, known))
