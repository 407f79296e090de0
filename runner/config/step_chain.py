"""Which steps of a task follow each other, and the chain of them that may take the longest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from graphlib import CycleError, TopologicalSorter

from runner.config.ensemble_file import TaskFile
from runner.config.step_file import StepFile


@dataclass(frozen=True, slots=True)
class Chain:
    """Steps by number with the time of each, one after the other."""

    steps: tuple[int, ...] = ()
    times: tuple[timedelta, ...] = ()
    total: timedelta = timedelta(0)

    def then(self, step: int, time: timedelta) -> Chain:
        return Chain((*self.steps, step), (*self.times, time), self.total + time)


def longest_chain(times: Sequence[timedelta | None], task: TaskFile) -> Chain:
    """The longest chain, by what is known of its steps' times.

    Of the steps with a `when` one may run and another not, so that only one of them counts. Empty where the steps
    wait for each other.
    """
    if sum(time is not None for time in times) < 2:
        return Chain()
    before = _before(task)
    always: dict[int, Chain] = {}
    with_one: dict[int, Chain] = {}
    try:
        for step in TopologicalSorter(before).static_order():
            surely = _longer(always[number] for number in before[step])
            maybe = _longer(with_one[number] for number in before[step])
            time = times[step]
            if time is None:
                always[step], with_one[step] = surely, maybe
            elif _may_be_passed_over(task.steps[step]):
                always[step], with_one[step] = surely, _longer((maybe, surely.then(step, time)))
            else:
                always[step], with_one[step] = surely.then(step, time), _longer((maybe, surely)).then(step, time)
    except CycleError:
        return Chain()
    return _longer((*always.values(), *with_one.values()))


def _before(task: TaskFile) -> Mapping[int, Sequence[int]]:
    if all(step.needs is None for step in task.steps):
        return {number: [number - 1] if number else [] for number in range(len(task.steps))}
    number_of = {step.id: number for number, step in enumerate(task.steps) if step.id is not None}
    return {
        number: [number_of[need] for need in step.needs or () if need in number_of]
        for number, step in enumerate(task.steps)
    }


def _may_be_passed_over(step: StepFile) -> bool:
    return step.when is not None or (step.review is not None and step.review.when is not None)


def _longer(chains: Iterable[Chain]) -> Chain:
    return max(chains, key=lambda chain: chain.total, default=Chain())
