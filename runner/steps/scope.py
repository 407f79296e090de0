"""What a step has at hand while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pydantic import JsonValue

from runner.assignment import Assignment, Place, attempted, item_at
from runner.functions.calling import UserFunction
from runner.model import AnyModel, Ensemble, PythonTarget
from runner.templates import rendered


@dataclass(frozen=True, slots=True)
class Scope:
    """`variables` is what templates see: `context`, `request` and `steps`, the results of the steps so far;
    `item` and `index` too where the step is done once for each item.

    `place` is where in the work calls are made from: the step's label, the item, the attempt.
    """

    assignment: Assignment
    ensemble: Ensemble
    models: Mapping[str, tuple[AnyModel, ...]]
    function: Callable[[PythonTarget], UserFunction]
    variables: Mapping[str, JsonValue]
    place: Place = ()

    def at_step(self, label: str, results: Mapping[str, JsonValue]) -> Scope:
        """The scope of one step that sees these results."""
        return replace(self, place=(label,), variables={**self.variables, "steps": dict(results)})

    def at_item(self, index: int, item: JsonValue) -> Scope:
        """The scope of one item of a list."""
        variables = {**self.variables, "item": item, "index": index}
        return replace(self, place=(*self.place, item_at(index)), variables=variables)

    def at_attempt(self, number: int) -> Scope:
        """The scope of an attempt, counted from 1. The first calls from where a step without `retry` does."""
        return self if number == 1 else replace(self, place=(*self.place, attempted(number)))

    def render(self, template: JsonValue) -> JsonValue:
        """Raises TemplateProblem."""
        return rendered(template, self.variables)

    def input(self, template: JsonValue) -> JsonValue:
        """A step's input: its template, or the request's context where it has none. Raises TemplateProblem."""
        return self.variables["context"] if template is None else self.render(template)
