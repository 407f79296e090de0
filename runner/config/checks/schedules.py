"""A schedule runs a task of its own ensemble."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config.codes import Rule
from runner.config.draft import Draft
from runner.config.suggest import did_you_mean
from runner.diagnostics import Diagnostic


def schedules_name_tasks(draft: Draft) -> Iterator[Diagnostic]:
    for member in draft.members.values():
        for name, schedule in member.file.schedules.items():
            if schedule.task in member.file.tasks or member.written.is_doubtful(("tasks", schedule.task)):
                continue
            span = member.written.span(("schedules", name, "task"))
            message = f"`{member.name}` has no task called `{schedule.task}`"
            hint = did_you_mean(schedule.task, member.file.tasks, otherwise="add it to `tasks:`")
            yield Diagnostic(Rule.UNKNOWN_TASK, message, span, hint=hint)
