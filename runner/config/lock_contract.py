"""What a lock keeps of a contract, so that a change of it can be told in words. Pure.

Of texts and of what a property of the schema may be only digests are kept: a lock goes under version control, and a
reference may stand for a secret anywhere.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

from pydantic import JsonValue

from runner.capability import CapabilityInfo

_DIGITS = 8
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_KINDS = frozenset({"string", "integer", "number", "boolean", "object", "array", "null"})


@dataclass(frozen=True, slots=True)
class LockedSchema:
    """`properties` are of the top, each with its type and a digest of all that is said of it; `rest` is a digest of
    everything else."""

    properties: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    rest: str = ""


@dataclass(frozen=True, slots=True)
class Contract:
    """What a caller of one capability relies on."""

    type: str
    authority: str
    tags: tuple[str, ...] = ()
    domain: str | None = None
    description: str | None = None
    """A digest."""
    input_schema: LockedSchema | None = None


def contract_of(capability: CapabilityInfo) -> Contract:
    schema, description = capability.input_schema, capability.description
    return Contract(
        capability.type.value.lower(),
        capability.authority.value.lower(),
        tuple(sorted(set(capability.tags))),
        capability.domain,
        None if description is None else _digest(description),
        None if schema is None else _locked(schema),
    )


def differences(before: Contract, after: Contract) -> Iterator[str]:
    """What changed, each in a few words. Nothing where only what is kept of neither differs."""
    if before.type != after.type:
        yield f"it was a {before.type} and is a {after.type}"
    yield from (f"the tag `{tag}` is new" for tag in after.tags if tag not in before.tags)
    yield from (f"the tag `{tag}` is gone" for tag in before.tags if tag not in after.tags)
    if before.authority != after.authority:
        yield f"its authority was {before.authority} and is {after.authority}"
    if before.domain != after.domain:
        yield f"its domain was {before.domain or 'not said'} and is {after.domain or 'not said any more'}"
    if before.description != after.description:
        yield f"its description is {_became(before.description, after.description)}"
    match before.input_schema, after.input_schema:
        case LockedSchema() as was, LockedSchema() as now:
            yield from _inputs(was, now)
        case was, now if was != now:
            yield f"its `input_schema` is {_became(was, now)}"


def _became(before: object, after: object) -> str:
    return "new" if before is None else "gone" if after is None else "another"


def _inputs(before: LockedSchema, after: LockedSchema) -> Iterator[str]:
    """The same of two schemas."""
    for name in sorted(before.properties.keys() | after.properties.keys()):
        was, now = before.properties.get(name), after.properties.get(name)
        must, had_to = name in after.required, name in before.required
        if now is None:
            yield f"the input `{name}` is gone"
        elif was is None:
            yield f"the input `{name}` is new{', and required' if must else ''}"
        else:
            if was != now:
                yield f"the input `{name}` {_differs(was.partition(' ')[0], now.partition(' ')[0])}"
            if must != had_to:
                yield f"the input `{name}` is {'required now' if must else 'not required any more'}"
    if before.rest != after.rest:
        yield "its `input_schema` says something else beside its properties"


def _differs(before: str, after: str) -> str:
    return f"was {before} and is {after}" if before != after else f"is {after} as before, and says something else"


def _locked(schema: Mapping[str, JsonValue]) -> LockedSchema:
    """Whatever has no plain name counts to the rest, and so does what is not as schemas have it."""
    said, required = schema.get("properties"), schema.get("required")
    properties = {name: one for name, one in said.items() if _PLAIN.fullmatch(name)} if isinstance(said, dict) else {}
    names = {name for name in required if name in properties} if _is_texts(required) else set()
    rest: dict[str, JsonValue] = dict(schema)
    if isinstance(said, dict):
        rest["properties"] = {name: one for name, one in said.items() if name not in properties}
    if _is_texts(required):
        rest["required"] = [*sorted(set(required) - names)]
    kinds = {name: f"{_kind(properties[name])} {_digest(properties[name])}" for name in sorted(properties)}
    return LockedSchema(kinds, tuple(sorted(names)), _digest(rest))


def _is_texts(value: JsonValue) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _kind(said: JsonValue) -> str:
    kind = said.get("type") if isinstance(said, dict) else None
    kinds = kind if _is_texts(kind) else [kind] if isinstance(kind, str) else []
    return "|".join(kinds) if kinds and _KINDS.issuperset(kinds) else "anything"


def _digest(value: JsonValue) -> str:
    written = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()[:_DIGITS]
