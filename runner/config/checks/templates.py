"""Every template compiles, and only reads what there is: the request, and the steps that are done before it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pydantic import JsonValue

from runner.config.codes import Rule
from runner.config.draft import Draft, Member
from runner.config.ensemble_file import TaskFile
from runner.config.path import Path
from runner.config.step_file import FanOutFile, StepFile
from runner.config.suggest import did_you_mean
from runner.config.written import Written
from runner.diagnostics import Diagnostic
from runner.templates import Compiled, TemplateProblem, compile_expression, compile_value

_RENDERED = ("input", "prompt", "template")
_VARIABLES = frozenset({"context", "request", "steps"})
_ITEM = frozenset({"item", "index"})


def templates_compile(draft: Draft) -> Iterator[Diagnostic]:
    for member, name, task in draft.tasks():
        yield from _Task(member, name, task).faults()


class _Task:
    """The templates of one task, each with the steps that are done before it."""

    def __init__(self, member: Member, name: str, task: TaskFile) -> None:
        self.member, self.name, self.task = member, name, task
        self.place: Path = ("tasks", name)
        self.ids = [step.id for step in task.steps]
        self.in_order = all(step.needs is None for step in task.steps)
        self.needs = {step.id: step.needs or () for step in task.steps if step.id is not None}
        self.is_doubtful = member.written.is_thinned((*self.place, "steps"))

    def faults(self) -> Iterator[Diagnostic]:
        for number, step in enumerate(self.task.steps):
            place: Path = (*self.place, "steps", number)
            yield from self._step(place, step, self._done_before(number, step))
        yield from self._value((*self.place, "output"), self.task.output, {id_ for id_ in self.ids if id_ is not None})

    def _done_before(self, number: int, step: StepFile) -> set[str]:
        """The steps whose results this one can see: those before it, or those that it needs, and what these need."""
        if self.in_order:
            return {id_ for id_ in self.ids[:number] if id_ is not None}
        done: set[str] = set()
        waiting = list(step.needs or ())
        while waiting:
            needed = waiting.pop()
            if needed not in done and needed in self.needs:
                done.add(needed)
                waiting += self.needs[needed]
        return done

    def _step(self, place: Path, step: StepFile, done: set[str]) -> Iterator[Diagnostic]:
        is_doubtful = step.for_each is None and self.member.written.is_doubtful((*place, "for_each"))
        variables = None if is_doubtful else _VARIABLES if step.for_each is None else _VARIABLES | _ITEM
        for key in _RENDERED:
            yield from self._value((*place, key), getattr(step, key), done, variables)
        if step.when is not None:
            yield from self._expression((*place, "when"), step.when, done, None if is_doubtful else _VARIABLES)
        if step.review is not None and step.review.when is not None:
            yield from self._expression((*place, "review", "when"), step.review.when, done, variables)
        if step.for_each is not None:
            yield from self._fan_out(self.member.written.existing((*place, "for_each", "items")), step.for_each, done)

    def _fan_out(self, place: Path, fan_out: FanOutFile, done: set[str]) -> Iterator[Diagnostic]:
        """`place` is that of the items."""
        items = fan_out.items
        if not isinstance(items, list) and not any(texts(items)):
            span = self.member.written.span(place)
            hint = "write a list, or a template that gives one, such as `{{ context.items }}`"
            yield Diagnostic(Rule.INVALID_VALUE, "`for_each` is no list", span, hint=hint)
        yield from self._value(place, items, done)

    def _value(
        self, place: Path, value: JsonValue, done: set[str], variables: Collection[str] | None = _VARIABLES
    ) -> Iterator[Diagnostic]:
        for below, text in texts(value):
            try:
                compiled = compile_value(text)
            except TemplateProblem as problem:
                yield self._broken((*place, *below), problem)
            else:
                yield from self._strangers((*place, *below), compiled, done, variables)

    def _expression(
        self, place: Path, text: str, done: set[str], variables: Collection[str] | None
    ) -> Iterator[Diagnostic]:
        try:
            compiled = compile_expression(text)
        except TemplateProblem as problem:
            yield self._broken(place, problem)
        else:
            yield from self._strangers(place, compiled, done, variables)

    def _broken(self, place: Path, problem: TemplateProblem) -> Diagnostic:
        return Diagnostic(Rule.INVALID_TEMPLATE, problem.message, self.member.written.span(place))

    def _strangers(
        self, place: Path, compiled: Compiled, done: set[str], variables: Collection[str] | None
    ) -> Iterator[Diagnostic]:
        """`variables` are None where it is doubtful whether there is an item."""
        if variables is not None:
            yield from unknown_variables(self.member.written, place, compiled, variables, self.ids)
        if self.is_doubtful:
            return
        for step in sorted(compiled.references - done):
            message = f"`{self.name}` has no step called `{step}`"
            hint = did_you_mean(step, done, otherwise=None if done else "no step before this one has an id")
            if step in self.ids:
                message = f"the step `{step}` is not done yet here"
                hint = "a step only sees those before it" if self.in_order else self._unneeded(place, step)
            yield Diagnostic(Rule.UNKNOWN_STEP, message, self.member.written.span(place), hint=hint)

    def _unneeded(self, place: Path, step: str) -> str:
        own = place[3] if len(place) > 3 else None
        if isinstance(own, int) and self.ids[own] == step:
            return "a step does not see its own result"
        return f"where steps have `needs`, a step only sees those it needs: add `{step}` to its `needs`"


def unknown_variables(
    written: Written, place: Path, compiled: Compiled, known: Collection[str], steps: Collection[str | None] = ()
) -> Iterator[Diagnostic]:
    """The names that a template reads though nothing gives them a value."""
    for name in sorted(compiled.names - set(known)):
        hint = f"the result of a step is `steps.{name}`" if name in steps else did_you_mean(name, known)
        yield Diagnostic(Rule.UNKNOWN_VARIABLE, f"there is no variable `{name}` here", written.span(place), hint=hint)


def texts(value: JsonValue, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every text in a structure that may hold a template, with its place."""
    if isinstance(value, str):
        if "{{" in value or "{%" in value or "{#" in value:
            yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from texts(item, (*path, number))
