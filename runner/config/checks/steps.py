"""A step calls what its ensemble has, and goes by a name of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from runner.config.codes import Rule
from runner.config.draft import Draft, Member
from runner.config.ensemble_file import TaskFile
from runner.config.path import Path
from runner.config.step_file import StepFile
from runner.config.suggest import did_you_mean
from runner.diagnostics import Diagnostic


def steps_name_what_exists(draft: Draft) -> Iterator[Diagnostic]:
    for member, name, task in draft.tasks():
        for number, step in enumerate(task.steps):
            yield from _called(member, ("tasks", name, "steps", number), step)
        yield from _ids(member, name, task)


def _called(member: Member, place: Path, step: StepFile) -> Iterator[Diagnostic]:
    file = member.file
    kinds: tuple[tuple[Rule, str, str | None, str, Collection[str]], ...] = (
        (Rule.UNKNOWN_TOOL, "tool", step.tool, "tools", file.tools),
        (Rule.UNKNOWN_AGENT, "agent", step.agent, "agents", file.agents),
        (Rule.UNKNOWN_USE, "use", step.use, "uses", file.uses),
        (Rule.UNKNOWN_USE, "handoff", step.handoff, "uses", file.uses),
    )
    for code, key, called, section, known in kinds:
        if called is None or called in known or member.written.is_doubtful((section, called)):
            continue
        message = f"`{member.name}` has no {section.removesuffix('s')} called `{called}`"
        hint = _other_kind(file.tools, file.uses, called, key) or did_you_mean(
            called, known, otherwise=f"add it to `{section}:`"
        )
        yield Diagnostic(code, message, member.written.span((*place, key)), hint=hint)


def _other_kind(tools: Collection[str], uses: Collection[str], called: str, key: str) -> str | None:
    if key == "tool" and called in uses:
        return f"it is a use: write `use: {called}`"
    if key == "use" and called in tools:
        return f"it is a tool: write `tool: {called}`"
    return None


def _ids(member: Member, name: str, task: TaskFile) -> Iterator[Diagnostic]:
    seen: dict[str, int] = {}
    ids = {step.id for step in task.steps if step.id is not None}
    for number, step in enumerate(task.steps):
        place: Path = ("tasks", name, "steps", number)
        if step.id is not None and seen.setdefault(step.id, number) != number:
            message = f"a second step of `{name}` is called `{step.id}`"
            span = member.written.span((*place, "id"))
            yield Diagnostic(Rule.DUPLICATE_STEP, message, span, hint="give each step an id of its own")
        for order, needed in enumerate(step.needs or ()):
            if needed not in ids and not member.written.is_thinned(place[:-1]):
                span = member.written.span((*place, "needs", order))
                hint = did_you_mean(needed, ids)
                yield Diagnostic(Rule.UNKNOWN_STEP, f"`{name}` has no step called `{needed}`", span, hint=hint)
