"""Which way work goes: the uses that the tasks of an ensemble name, and those that only its Python can know of."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config.draft import Draft, Found, Member, Offer
from runner.config.ensemble_file import TaskFile, UseFile


def named_by(member: Member, task: TaskFile) -> Iterator[str]:
    """What the steps of a task name as a use, themselves or through an agent. It need not be one."""
    for step in task.steps:
        if step.use is not None:
            yield step.use
        if step.handoff is not None:
            yield step.handoff
        agent = member.file.agents.get(step.agent) if step.agent is not None else None
        if agent is not None:
            yield from agent.named.values()


def unnamed(member: Member) -> frozenset[str]:
    """The uses that no task names: if anything asks them, it is Python, on behalf of any capability."""
    if not member.file.uses:
        return frozenset()
    named = {use for task in member.file.tasks.values() for use in named_by(member, task)}
    return frozenset(member.file.uses) - named


def only_handed(member: Member) -> frozenset[str]:
    """The uses that tasks hand off through, and neither ask nor give to an agent."""
    steps = [step for task in member.file.tasks.values() for step in task.steps]
    handed = {step.handoff for step in steps if step.handoff is not None}
    if not handed:
        return frozenset()
    asked = {step.use for step in steps if step.use is not None}
    asked |= {tool for agent in member.file.agents.values() for tool in agent.named.values()}
    return frozenset(handed - asked)


def possible(draft: Draft) -> Iterator[tuple[Member, str, UseFile, Found]]:
    """Every discovered use with those it may come to, as it asks: nobody but tasks where it hands off alone, or leaves
    its request behind."""
    for member in draft.members.values():
        handed = only_handed(member) if member.file.uses else frozenset()
        for name, use in member.file.uses.items():
            need = draft.need(use)
            if need is not None:
                found = draft.found(need)
                yield member, name, use, found.tasks if name in handed else found.asked_by(use)


def named_offers(draft: Draft, use: UseFile) -> Iterator[Offer]:
    """The capabilities that a use names: its provider and its fallback."""
    for target in (use.to, use.fallback):
        offer = draft.offer(target) if target is not None else None
        if offer is not None:
            yield offer
