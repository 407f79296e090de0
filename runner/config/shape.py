"""As-written data → as-written models. Every error becomes a diagnostic, and what is wrong is pruned to go on."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from types import UnionType
from typing import Annotated, TypeGuard, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import ErrorDetails

from runner.config.codes import Rule
from runner.config.path import Path
from runner.config.suggest import closest, did_you_mean, listed
from runner.config.words import (
    KINDS,
    MERGE_HINT,
    NO_NAME,
    bound_said,
    keys_said,
    kind_of,
    kind_said,
    label,
    pattern_said,
    shown,
)
from runner.config.written import Written
from runner.diagnostics import Diagnostic

Model = TypeVar("Model", bound=BaseModel)

_MOST_ROUNDS = 50
_NONE: Mapping[str, JsonValue] = {}
_OWN = {rule.value for rule in Rule}


def shape(
    model: type[Model], written: Written, stand_ins: Mapping[str, JsonValue] = _NONE
) -> tuple[Model | None, list[Diagnostic]]:
    """The model of the data, pruned until it fits; None where not even the whole can be kept.

    A stand-in takes the place of a required key that is missing or was pruned, so that the rest can be judged. There
    is a diagnostic then.
    """
    diagnostics: list[Diagnostic] = []
    for _ in range(_MOST_ROUNDS):
        try:
            return model.model_validate(written.data), diagnostics
        except ValidationError as error:
            judge = _Judge(model, written, stand_ins, error.errors(include_url=False, include_input=False))
            diagnostics += judge.diagnostics()
            doomed = judge.doomed
        for path in sorted(doomed, key=_sort_key, reverse=True):
            written.prune(path, unknown=doomed[path])
        if () in doomed:
            return None, diagnostics
        if judge.stood_in:
            written.replace({**written.data, **judge.stood_in})
    return None, diagnostics


def _sort_key(path: Path) -> tuple[tuple[int, int, str], ...]:
    """Later list items first when reversed, so that taking one out leaves the places of the others."""
    return tuple((part, 0, "") if isinstance(part, int) else (-1, 0, part) for part in path)


class _Judge:
    """What one round of validation found. `doomed` is what is to go, with whether it is a key nobody knows."""

    def __init__(
        self,
        model: type[BaseModel],
        written: Written,
        stand_ins: Mapping[str, JsonValue],
        details: list[ErrorDetails],
    ) -> None:
        self.model = model
        self.written = written
        self.doomed: dict[Path, bool] = {}
        self.stood_in: dict[str, JsonValue] = {}
        self._stand_ins = stand_ins
        self._details = details
        self._above = {detail["loc"][:length] for detail in details for length in range(len(detail["loc"]))}
        self._unknown: dict[Path, list[str]] = defaultdict(list)
        for detail in details:
            if detail["type"] == "extra_forbidden":
                self._unknown[detail["loc"][:-1]].append(str(detail["loc"][-1]))

    def diagnostics(self) -> list[Diagnostic]:
        return [found for detail in self._details if (found := self._judge(detail)) is not None]

    def _judge(self, detail: ErrorDetails) -> Diagnostic | None:
        """The diagnostic of one error, or None if it only follows from what was pruned."""
        kind, location = detail["type"], detail["loc"]
        if kind == "missing":
            parent, key = self.written.existing(location[:-1]), str(location[-1])
            if not parent and key in self._stand_ins:
                self.stood_in[key] = self._stand_ins[key]
            else:
                self.doomed.setdefault(parent, False)
            return self._missing(parent, key)
        at_key = location[-1:] == ("[key]",)
        path = self.written.existing(location[:-1] if at_key else location)
        self.doomed[path] = kind == "extra_forbidden"
        if self._follows(kind, location, path):
            return None
        code, message, hint = self._say(detail, path)
        by_key = at_key or kind in ("extra_forbidden", Rule.MISSING_KEY, Rule.CONFLICTING_KEYS)
        return Diagnostic(code, message, self.written.span(path, key=by_key), hint=hint)

    def _follows(self, kind: str, location: Path, path: Path) -> bool:
        if kind == Rule.MISSING_KEY:
            return self.written.is_thinned(path)
        return kind == "too_short" and (location in self._above or self.written.is_thinned(path))

    def _missing(self, parent: Path, key: str) -> Diagnostic | None:
        meant = any(closest(unknown, [key]) for unknown in self._unknown[parent])
        if meant or self.written.is_doubtful((*parent, key)):
            return None
        whose = f" of {label(parent)}" if parent else ""
        message = f"the key `{key}`{whose} is missing"
        return Diagnostic(Rule.MISSING_KEY, message, self.written.span(parent, key=True), hint=f"add `{key}:`")

    def _say(self, detail: ErrorDetails, path: Path) -> tuple[Rule, str, str | None]:
        kind, context = detail["type"], detail.get("ctx", {})
        given = self.written.at(path)
        key, value = label(path), shown(given)
        if kind in _OWN:
            message = str(context["message"]).replace("{key}", key).replace("{value}", value)
            return Rule(kind), message, str(context["hint"]) or None
        if kind == "extra_forbidden":
            known = keys_at(self.model, path[:-1])
            hint = did_you_mean(str(path[-1]), known, otherwise=keys_said(known))
            return Rule.UNKNOWN_KEY, f"there is no key {key} here", MERGE_HINT if path[-1] == "<<" else hint
        if kind == "literal_error":
            choices = re.findall(r"'([^']*)'", str(context["expected"])) or [str(context["expected"])]
            guess = closest(given, choices) if isinstance(given, str) else None
            hint = f"did you mean `{guess}`?" if guess else f"it may be {listed(choices, joint='or')}"
            return Rule.INVALID_VALUE, f"{key} cannot be {value}", hint
        if kind == "string_pattern_mismatch":
            what, hint = pattern_said(str(context["pattern"]))
            if detail["loc"][-1:] == ("[key]",) or what == NO_NAME[0]:
                named = key if detail["loc"][-1:] == ("[key]",) else value
                return Rule.INVALID_NAME, f"{named} is {what}", hint
            return Rule.INVALID_VALUE, f"{value} is {what}", hint
        if kind in KINDS:
            return Rule.WRONG_TYPE, f"{key} must be {kind_said(kind, context)}, not {kind_of(given)}", None
        return Rule.INVALID_VALUE, f"{key} {bound_said(kind, context)}", None


def keys_at(model: type[BaseModel], path: Path) -> tuple[str, ...]:
    """The keys that the mapping at a path of a model may have."""
    kinds: list[object] = [model]
    for part in path:
        kinds = [below for kind in kinds for below in _below(kind, part)]
    return tuple(key for kind in kinds if _is_model(kind) for key in kind.model_fields)


def _below(kind: object, part: str | int) -> list[object]:
    """The types of what stands under a key of a model, or under any in a container."""
    if _is_model(kind):
        field = kind.model_fields.get(str(part))
        return _alternatives(field.annotation) if field else []
    if get_origin(kind) is dict:
        return _alternatives(get_args(kind)[1])
    return _alternatives(get_args(kind)[0]) if get_origin(kind) in (list, tuple) else []


def _alternatives(annotation: object) -> list[object]:
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [each for argument in get_args(annotation) for each in _alternatives(argument)]
    return [annotation]


def _is_model(kind: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
