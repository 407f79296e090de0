"""What a function's signature and docstring tell: its parameters, their JSON Schema, its description."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NotRequired

from pydantic import ConfigDict, JsonValue, TypeAdapter, ValidationError, with_config
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic_core import PydanticSerializationError, to_jsonable_python
from typing_extensions import TypedDict

import runner
from runner.errors import CallFailed, StartFailed
from runner.functions.context import Context
from runner.functions.raised import in_full
from runner.soundness import cleaned, unsound
from runner.work import Code


class InvalidInput(CallFailed):
    """The input does not fit the function's parameters."""

    code = Code.INVALID_INPUT


@dataclass(frozen=True, slots=True)
class Signature:
    """`names` are the parameters that take input, in order; `positional` those that take it by position only.

    `subject` is the one that takes an input which is no mapping: the only one, or the only one without a default.
    """

    names: tuple[str, ...]
    positional: tuple[str, ...]
    subject: str | None
    context: str | None
    natural: bool
    description: str | None
    input_schema: dict[str, JsonValue] | None
    adapter: TypeAdapter[dict[str, Any]] | None

    def arguments(self, given: JsonValue) -> dict[str, Any]:
        """The arguments that an input stands for, by name. Raises InvalidInput."""
        if self.natural and isinstance(given, str) and self.subject:
            return {self.subject: given}
        if isinstance(given, dict):
            return self._validated(given)
        if self.subject is not None:
            return self._validated({self.subject: given})
        if not self.names:
            return {}
        raise InvalidInput("the input is no mapping of named arguments", hint=self._taken())

    def _validated(self, given: Mapping[str, JsonValue]) -> dict[str, Any]:
        if self.adapter is None:
            return {}
        try:
            return self.adapter.validate_python(given)
        except ValidationError as error:
            raise InvalidInput(_problems(error), hint=self._taken()) from None

    def _taken(self) -> str:
        return f"it takes {', '.join(f'`{name}`' for name in self.names)}" if self.names else "it takes no arguments"


def read_signature(function: Callable[..., Any], shown: str) -> Signature:
    """Read a function; `shown` is what messages call it. Raises StartFailed where it cannot be described."""
    try:
        parameters = inspect.signature(function).parameters
        hints = _hints(function)
    except Exception as error:  # annotations are user code
        raise StartFailed(f"{shown}: its signature cannot be read: {in_full(error)}") from error
    contexts = [name for name in parameters if _is_context(hints.get(name))]
    taken = [p for p in parameters.values() if p.name not in contexts and p.kind is not p.VAR_POSITIONAL]
    named = [p for p in taken if p.kind is not p.VAR_KEYWORD]
    natural = len(taken) == 1 and len(named) == 1 and hints.get(named[0].name, str) is str
    adapter = _adapter(taken, hints, shown)
    return Signature(
        names=tuple(p.name for p in named),
        positional=tuple(p.name for p in parameters.values() if p.kind is p.POSITIONAL_ONLY),
        subject=_subject(named),
        context=contexts[0] if contexts else None,
        natural=natural,
        description=_description(function),
        input_schema=None if natural else _schema(adapter, named, shown),
        adapter=adapter,
    )


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Type hints, with `Context` known even where it is imported for type checking only."""
    inner = inspect.unwrap(function)
    if not inspect.isroutine(inner):
        inner = inner.__init__ if inspect.isclass(inner) else type(inner).__call__
    known = {"Context": Context, "runner": runner, **getattr(inner, "__globals__", {})}
    return typing.get_type_hints(inner, globalns=known, include_extras=True)


def _is_context(hint: Any) -> bool:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return any(_is_context(part) for part in typing.get_args(hint))
    return hint is Context


def _subject(named: list[inspect.Parameter]) -> str | None:
    needed = [parameter for parameter in named if parameter.default is parameter.empty]
    candidates = named if len(named) == 1 else needed
    return candidates[0].name if len(candidates) == 1 else None


def _adapter(taken: list[inspect.Parameter], hints: Mapping[str, Any], shown: str) -> TypeAdapter[dict[str, Any]]:
    """Judges a mapping of named arguments; what is absent stays absent, so that the function's own defaults apply."""
    fields: dict[str, Any] = {}
    for parameter in taken:
        if parameter.kind is not parameter.VAR_KEYWORD:
            hint = hints.get(parameter.name, Any)
            fields[parameter.name] = hint if parameter.default is parameter.empty else NotRequired[hint]
    is_open = len(fields) < len(taken)
    config = ConfigDict(extra="allow" if is_open else "forbid")
    arguments = with_config(config)(TypedDict("Arguments", fields))  # type: ignore[operator]
    try:
        return TypeAdapter(arguments)
    except (PydanticSchemaGenerationError, PydanticUserError, NameError, TypeError) as error:
        message = str(error).splitlines()[0]
        raise StartFailed(f"{shown}: a parameter's type cannot be read from JSON: {message}") from error


def _schema(adapter: TypeAdapter[dict[str, Any]], named: list[inspect.Parameter], shown: str) -> dict[str, JsonValue]:
    try:
        schema = adapter.json_schema()
    except PydanticUserError as error:
        raise StartFailed(f"{shown}: a parameter's type has no JSON Schema: {error.message}") from error
    schema.pop("title", None)
    for parameter in named:
        field = schema["properties"][parameter.name]
        if "$ref" not in field:
            field.pop("title", None)
        if parameter.default is not parameter.empty:
            try:
                default = to_jsonable_python(parameter.default, inf_nan_mode="constants")
            except (PydanticSerializationError, ValueError):
                continue
            if unsound(default) is None:
                field["default"] = default
    return schema


def _description(function: Callable[..., Any]) -> str | None:
    """The first paragraph of the docstring, on one line."""
    text = inspect.getdoc(function) or ""
    return cleaned(" ".join(text.split("\n\n")[0].split())) or None


def _problems(error: ValidationError) -> str:
    """Every mismatch in one line, in the words of the caller's input."""
    words = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        name = ".".join(map(str, problem["loc"]))
        match problem["type"]:
            case "missing":
                words.append(f"`{name}` is missing")
            case "extra_forbidden":
                words.append(f"`{name}` is unknown")
            case _:
                words.append(f"`{name}`: {problem['msg']}")
    return "; ".join(words)
