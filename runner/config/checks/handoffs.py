"""A hand-off is the last thing that a task does, and goes to a task."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config.codes import Rule
from runner.config.draft import Draft, Member
from runner.config.ensemble_file import TaskFile
from runner.config.path import Path
from runner.diagnostics import Diagnostic


def handoffs_end_their_task(draft: Draft) -> Iterator[Diagnostic]:
    for member, name, task in draft.tasks():
        yield from _after(member, name, task)
        yield from _to_tools(draft, member, name, task)


def _after(member: Member, name: str, task: TaskFile) -> Iterator[Diagnostic]:
    """What is never reached behind a hand-off. One that has a `when` may be passed over."""
    steps: Path = ("tasks", name, "steps")
    first = next((number for number, step in enumerate(task.steps) if step.handoff is not None), None)
    if first is None:
        return
    needing = next((number for number, step in enumerate(task.steps) if step.needs is not None), None)
    if needing is not None:
        message = f"`{name}` hands off, but has no last step: its steps run by their `needs`"
        span = member.written.span((*steps, needing, "needs"), key=True)
        yield Diagnostic(Rule.HANDOFF_NOT_LAST, message, span, hint="take the `needs` of its steps out")
        return
    certain = next((n for n, step in enumerate(task.steps) if step.handoff is not None and step.when is None), None)
    if certain is None:
        return
    hint = "take it out, or give the hand-off a `when`"
    if certain + 1 < len(task.steps):
        message = f"this step of `{name}` is never reached: whoever it is handed to answers"
        yield Diagnostic(Rule.HANDOFF_NOT_LAST, message, member.written.span((*steps, certain + 1)), hint=hint)
    elif task.output is not None:
        message = f"the `output` of `{name}` is never given: whoever it is handed to answers"
        span = member.written.span(("tasks", name, "output"), key=True)
        yield Diagnostic(Rule.HANDOFF_NOT_LAST, message, span, hint=hint)


def _to_tools(draft: Draft, member: Member, name: str, task: TaskFile) -> Iterator[Diagnostic]:
    for number, step in enumerate(task.steps):
        use = member.file.uses.get(step.handoff) if step.handoff is not None else None
        if use is None:
            continue
        offer = draft.offer(use.to) if use.to is not None else None
        found = [offer] if offer else draft.providers(use, asking=member.name) if use.to is None else []
        if found and all(one.kind == "tools" for one in found):
            message = f"`{found[0]}` is a tool, and a tool takes over no work"
            span = member.written.span(("tasks", name, "steps", number, "handoff"))
            hint = f"write `use: {step.handoff}` and answer with its result, or hand off to a task"
            yield Diagnostic(Rule.HANDOFF_TO_TOOL, message, span, hint=hint)
