"""A deadline can hold on some way to it, and those of a task's steps one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from runner.config.codes import Rule
from runner.config.draft import Draft, Member
from runner.config.ensemble_file import TaskFile, UseFile
from runner.config.patience import Capability, Given, Place, Whole, patience
from runner.config.step_chain import longest_chain
from runner.config.step_file import StepFile
from runner.config.ways import named_by
from runner.diagnostics import Diagnostic, Severity
from runner.durations import format_duration


def deadlines_can_hold(draft: Draft) -> Iterator[Diagnostic]:
    """What the file says of them, against the widest way to each."""
    if not any(_limits(member) for member in draft.members.values()):
        return
    given = patience(draft)
    for member in draft.members.values():
        if _limits(member):
            contexts = _contexts(member, given)
            for name, use in member.file.uses.items():
                yield from _of_use(draft, member, name, use, contexts[name])
            for name, task in member.file.tasks.items():
                yield from _of_steps(member, name, task, given[Capability(member.name, name)])


def _limits(member: Member) -> bool:
    """Whether any time is said in it that could be too much."""
    file = member.file
    return any(use.deadline is not None for use in file.uses.values()) or any(
        step.review is not None and step.review.timeout is not None
        for task in file.tasks.values()
        for step in task.steps
    )


def _contexts(member: Member, given: Mapping[Place, Given]) -> Mapping[str, tuple[str, Given]]:
    """For each use, on behalf of which capability it is asked with the most time, and how much that is."""
    whole = given.get(Whole(member.name), Given(timedelta.max))
    found = dict.fromkeys(member.file.uses, (f"`{member.name}`", whole))
    named: dict[str, tuple[str, Given]] = {}
    for name, task in member.file.tasks.items():
        here = (f"`{member.name}/{name}`", given[Capability(member.name, name)])
        for use in named_by(member, task):
            if use not in named or named[use][1].most < here[1].most:
                named[use] = here
    return {**found, **named}


def _of_use(draft: Draft, member: Member, name: str, use: UseFile, context: tuple[str, Given]) -> Iterator[Diagnostic]:
    if use.deadline is None:
        return
    who, given = context
    span = member.written.span(("uses", name, "deadline"))
    if use.deadline > given.most:
        message = f"{format_duration(use.deadline)} cannot hold: {who} has {_at_most(given)} itself"
        hint = f"lower it, or {_raise(given)}"
        yield Diagnostic(Rule.IMPOSSIBLE_DEADLINE, message, span, Severity.WARNING, hint)
    offer = draft.offer(use.to) if use.to is not None else None
    sla = offer.provider.file.sla if offer is not None and offer.kind == "tasks" else None
    if sla is not None and sla >= use.deadline:
        over = format_duration(use.deadline)
        message = f"`{use.to}` has {format_duration(sla)} to claim a task, its `sla`: {over} may be over by then"
        hint = "raise the deadline, or lower the provider's `sla`"
        yield Diagnostic(Rule.IMPOSSIBLE_DEADLINE, message, span, Severity.WARNING, hint)


def _at_most(given: Given) -> str:
    source = f"from `{given.by}`" if given.by is not None else "the network's default"
    return f"{format_duration(given.most)} at most, {source},"


def _raise(given: Given) -> str:
    return f"raise the `deadline` of `{given.by}`" if given.by is not None else "raise `defaults.deadline`"


def _of_steps(member: Member, name: str, task: TaskFile, given: Given) -> Iterator[Diagnostic]:
    """A chain of steps whose times together are too much, though each alone is not."""
    chain = longest_chain([_time(member, step) for step in task.steps], task)
    if len(chain.steps) < 2 or chain.total <= given.most or max(chain.times) > given.most:
        return
    last = chain.steps[-1]
    place = ("tasks", name, "steps", last, task.steps[last].kind)
    said = ", ".join(
        f"{_called(task.steps[number])} {format_duration(time)}"
        for number, time in zip(chain.steps, chain.times, strict=True)
    )
    message = (
        f"the steps of `{name}` may take {format_duration(chain.total)} one after the other ({said}), "
        f"and it has {_at_most(given)} for all"
    )
    hint = f"lower one of them, or {_raise(given)}"
    yield Diagnostic(Rule.IMPOSSIBLE_DEADLINE, message, member.written.span(place), Severity.WARNING, hint)


def _time(member: Member, step: StepFile) -> timedelta | None:
    """What the file gives a step; None where it says nothing, or the step does not wait."""
    if step.review is not None:
        return step.review.timeout
    asked = step.use or step.handoff
    use = member.file.uses.get(asked) if asked is not None else None
    return use.deadline if use is not None and use.mode == "await" else None


def _called(step: StepFile) -> str:
    return f"`{step.use or step.handoff or step.kind}`"
