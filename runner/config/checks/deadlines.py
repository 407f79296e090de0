"""A deadline can hold on some way to it, and those of a task's steps one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import NamedTuple

from runner.config.codes import Rule
from runner.config.draft import Draft, Found, Member, Offer
from runner.config.ensemble_file import TaskFile, UseFile
from runner.config.patience import Capability, Given, Place, Whole, patience
from runner.config.step_chain import longest_chain
from runner.config.step_file import StepFile
from runner.config.ways import named_by, possible
from runner.diagnostics import Diagnostic, Severity
from runner.durations import format_duration


def deadlines_can_hold(draft: Draft) -> Iterator[Diagnostic]:
    """What the file says of them, against the widest way to each."""
    claims = any(member.file.sla is not None for member in draft.members.values())
    if not claims and not any(_limits(member) for member in draft.members.values()):
        return
    given = patience(draft)
    meeting = {(member.name, name): found for member, name, _, found in possible(draft)}
    for member in draft.members.values():
        if claims or _limits(member):
            contexts = _contexts(member, given)
            for name, use in member.file.uses.items():
                yield from _of_use(member, name, use, contexts[name])
                asked = _asked(draft, member, use, meeting.get((member.name, name)))
                yield from _of_claims(member, name, use, contexts[name], asked)
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


def _of_use(member: Member, name: str, use: UseFile, context: tuple[str, Given]) -> Iterator[Diagnostic]:
    who, given = context
    if use.deadline is not None and use.deadline > given.most:
        span = member.written.span(("uses", name, "deadline"))
        message = f"{format_duration(use.deadline)} cannot hold: {who} has {_at_most(given)} itself"
        hint = f"lower it, or {_raise(given)}"
        yield Diagnostic(Rule.IMPOSSIBLE_DEADLINE, message, span, Severity.WARNING, hint)


class _Asked(NamedTuple):
    """Of those whom a use may come to: who claims the soonest by its `sla`, and how many they are."""

    within: timedelta
    offer: Offer
    number: int


def _asked(draft: Draft, member: Member, use: UseFile, meeting: Found | None) -> _Asked | None:
    if meeting is None:
        offer = draft.offer(use.to) if use.to is not None else None
        return _Asked(offer.claimed_within, offer, 1) if offer is not None else None
    soonest = meeting.soonest(asking=member.name)
    return _Asked(*soonest, meeting.number(asking=member.name)) if soonest is not None else None


def _of_claims(
    member: Member, name: str, use: UseFile, context: tuple[str, Given], asked: _Asked | None
) -> Iterator[Diagnostic]:
    """Nobody whom a use may come to has to claim its task before the deadline is over."""
    who, given = context
    most = use.deadline if use.deadline is not None else given.most
    if asked is None or not asked.within or asked.within < most:
        return
    within = format_duration(asked.within)
    if asked.number == 1:
        message = f"`{asked.offer}` has {within} to claim a task, its `sla`"
    else:
        message = f"all {asked.number} that meet `{name}` have {within} or more to claim a task, their `sla`"
    if use.deadline is not None:
        span, remedy = member.written.span(("uses", name, "deadline")), "raise the deadline"
        message += f": {format_duration(most)} may be over by then"
    else:
        span, remedy = member.written.span(("uses", name), key=True), _raise(given)
        message += f", and {who} has {_at_most(given)} for all"
    hint = f"{remedy}, or lower the provider's `sla`"
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
