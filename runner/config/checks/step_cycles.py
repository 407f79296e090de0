"""The steps of a task can all begin: none needs itself, not even by way of others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runner.config.codes import Rule
from runner.config.draft import Draft, Member
from runner.config.ensemble_file import TaskFile
from runner.diagnostics import Diagnostic


def steps_can_begin(draft: Draft) -> Iterator[Diagnostic]:
    for member, name, task in draft.tasks():
        yield from _cycles(member, name, task)


def _cycles(member: Member, name: str, task: TaskFile) -> Iterator[Diagnostic]:
    """Each cycle once, at the need that closes it."""
    needs = {step.id: step.needs or () for step in task.steps if step.id is not None}
    finished: set[str] = set()
    for start in needs:
        for path in _closing(needs, start, finished):
            closing = path[-2]
            number = next(number for number, step in enumerate(task.steps) if step.id == closing)
            order = (task.steps[number].needs or ()).index(path[-1])
            span = member.written.span(("tasks", name, "steps", number, "needs", order))
            message = f"these steps of `{name}` wait for each other: {' → '.join(path)}"
            hint = "take one of these `needs` out"
            if len(path) == 2:
                message, hint = f"the step `{closing}` of `{name}` waits for itself", "take it out"
            yield Diagnostic(Rule.STEP_CYCLE, message, span, hint=hint)


def _closing(needs: Mapping[str, tuple[str, ...]], start: str, finished: set[str]) -> Iterator[list[str]]:
    """Depth first, without recursion: a need back onto the path closes a cycle."""
    if start in finished:
        return
    path = {start: iter(needs[start])}
    while path:
        last = next(reversed(path))
        needed = next(path[last], None)
        if needed is None:
            del path[last]
            finished.add(last)
        elif needed in path:
            steps = list(path)
            yield [*steps[steps.index(needed) :], needed]
        elif needed in needs and needed not in finished:
            path[needed] = iter(needs[needed])
