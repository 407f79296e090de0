"""Templates over plain data: compile once, render often. Jinja itself is loaded by the first text that has a marker.

A string that is exactly one `{{ … }}` keeps the type of its value; any other string with a marker renders to text;
lists and mappings render their strings, at any depth, never their keys. What a template may do and how much of it is
in `sandbox/`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pydantic import JsonValue

from runner.same import InUse
from runner.soundness import unsound

if TYPE_CHECKING:
    from runner.sandbox.program import Program

_MARKERS = ("{{", "{%", "{#")
_NOTHING: frozenset[str] = frozenset()


class TemplateProblem(Exception):
    """A template does not compile, or failed over the variables it was given. The message is fit for the user."""

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


class Compiled(ABC):
    """A value ready to render. `references` are the names it reads under `steps`; `names` all names it needs."""

    __slots__ = ("names", "references")

    def __init__(self, references: frozenset[str] = _NOTHING, names: frozenset[str] = _NOTHING) -> None:
        self.references = references
        self.names = names

    @abstractmethod
    def render(self, variables: Mapping[str, JsonValue]) -> JsonValue:
        """The value, as plain JSON data. Raises TemplateProblem."""


class _Plain(Compiled):
    """A value without a template in it."""

    __slots__ = ("_value",)

    def __init__(self, value: JsonValue) -> None:
        super().__init__()
        self._value = value

    def render(self, variables: Mapping[str, JsonValue]) -> JsonValue:
        return self._value


class _Text(Compiled):
    """A text with a template in it, or an expression."""

    __slots__ = ("_program",)

    def __init__(self, program: Program) -> None:
        super().__init__(program.references, program.names)
        self._program = program

    def render(self, variables: Mapping[str, JsonValue]) -> JsonValue:
        return self._program.run(variables)


class _Mapping(Compiled):
    __slots__ = ("_parts",)

    def __init__(self, parts: dict[str, Compiled]) -> None:
        super().__init__(*_united(iter(parts.values())))
        self._parts = parts

    def render(self, variables: Mapping[str, JsonValue]) -> JsonValue:
        return {key: part.render(variables) for key, part in self._parts.items()}


class _List(Compiled):
    __slots__ = ("_parts",)

    def __init__(self, parts: list[Compiled]) -> None:
        super().__init__(*_united(iter(parts)))
        self._parts = parts

    def render(self, variables: Mapping[str, JsonValue]) -> JsonValue:
        return [part.render(variables) for part in self._parts]


def compile_value(value: JsonValue) -> Compiled:
    """Compile a string or a structure of strings. Raises TemplateProblem for the first that does not compile."""
    match value:
        case str():
            return _compile_text(value)
        case dict():
            parts = {key: compile_value(part) for key, part in value.items()}
            return _Plain(value) if _all_plain(iter(parts.values())) else _Mapping(parts)
        case list():
            items = [compile_value(part) for part in value]
            return _Plain(value) if _all_plain(iter(items)) else _List(items)
        case _:
            return _Plain(value)


def rendered(value: JsonValue, variables: Mapping[str, JsonValue]) -> JsonValue:
    """Compile and render a value into one that can be carried. Raises TemplateProblem."""
    result = compile_value(value).render(variables)
    if fault := unsound(result):
        raise TemplateProblem(f"the value has {fault}")
    return result


@InUse
def compile_expression(text: str) -> Compiled:
    """Compile an expression, with or without its braces; rendering gives its value. Raises TemplateProblem."""
    from runner.sandbox.program import compile_expression_program

    return _Text(compile_expression_program(text))


def forget_unused() -> None:
    """To be called by whoever has compiled every template of a configuration: let go of those of earlier ones."""
    compile_expression.turn()
    _compile_text.turn()


def holds(condition: Compiled, variables: Mapping[str, JsonValue]) -> bool:
    """Whether a condition is true. Raises TemplateProblem where its value is no boolean."""
    value = condition.render(variables)
    if not isinstance(value, bool):
        raise TemplateProblem(f"the condition gives {_kind(value)}, not true or false")
    return value


@InUse
def _compile_text(text: str) -> Compiled:
    if not any(marker in text for marker in _MARKERS):
        return _Plain(text)
    from runner.sandbox.program import compile_program

    return _Text(compile_program(text))


def _all_plain(parts: Iterator[Compiled]) -> bool:
    return all(isinstance(part, _Plain) for part in parts)


def _united(parts: Iterator[Compiled]) -> tuple[frozenset[str], frozenset[str]]:
    every = list(parts)
    return _NOTHING.union(*(part.references for part in every)), _NOTHING.union(*(part.names for part in every))


def _kind(value: JsonValue) -> str:
    names = {
        str: "a text",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "a mapping",
        type(None): "nothing",
    }
    return names.get(type(value), type(value).__name__)
