"""A resolved network as nested mappings, keyed as its files are: what is compared, fingerprinted and shown.

What is not written and has no default is left out, and so is the order of mappings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from enum import Enum
from typing import TypeGuard, Union, cast

from pydantic import JsonValue

from runner.deliverable import (
    NoDelivery,
    QueueDelivery,
    ReplyDelivery,
    StoreDelivery,
    TopicDelivery,
    UnsupportedDelivery,
)
from runner.durations import format_duration
from runner.model import (
    Agent,
    AnyModel,
    Discovery,
    EmbeddedServer,
    Ensemble,
    ExternalServer,
    FanOut,
    HandoffStep,
    Network,
    PythonTarget,
    ScriptedModel,
    StaticTarget,
    Step,
    UnsupportedModel,
    UnsupportedStep,
    Use,
)
from runner.work import DeliverySpec

Facts = dict[str, Union["Facts", JsonValue]]


class Whole(dict[str, JsonValue]):
    """A mapping that is one value, such as a template: compared and shown whole."""


ORDER = "(order)"
"""Under `steps`: what they are called, one after the other. No step can be called so."""

_OF_THE_KEY = frozenset({"name", "id", "index"})
"""Fields that say what the key above says already."""


def of_ensemble(ensemble: Ensemble) -> Facts:
    """Everything that its file says, defaults included."""
    return _entry(ensemble)


def of_network(network: Network) -> Facts:
    """Everything that the network file says, but for the ensembles."""
    return {
        "network": network.name,
        "nats": _server(network.server),
        "tags": _vocabulary(network.tag_aliases),
        "models": {name: of_route(route) for name, route in network.models.items()},
        "deliveries": _entries(network.deliveries),
        "defaults": _entry(network.defaults),
        "audit": {"kept": format_duration(network.events_kept)},
    }


def of_route(route: tuple[AnyModel, ...]) -> Facts:
    """The models of a route, by their places."""
    return {str(place): _entry(model) for place, model in enumerate(route)}


def _vocabulary(aliases: Mapping[str, str]) -> Facts:
    """The tags that other words stand for."""
    return {tag: {"aliases": [a for a in sorted(aliases) if aliases[a] == tag]} for tag in sorted({*aliases.values()})}


def _server(server: EmbeddedServer | ExternalServer) -> Facts:
    match server:
        case EmbeddedServer():
            return {}
        case ExternalServer(url, credentials):
            return {"url": list(url), **({"credentials": credentials} if credentials is not None else {})}


def _entry(value: object) -> Facts:
    """The fields of a resolved value, as keys."""
    match value:
        case ScriptedModel(path, cases):
            return {"provider": "scripted", "script": {"path": path, "cases": [_plain(case) for case in cases]}}
        case UnsupportedModel(provider):
            return {"provider": provider}
        case ReplyDelivery():
            return {"reply": True}
        case NoDelivery():
            return {"none": True}
        case QueueDelivery(name):
            return {"queue": name}
        case TopicDelivery(name):
            return {"topic": name}
        case StoreDelivery():
            return {"store": _fields(value)}
        case UnsupportedDelivery(method):
            return {method: True}
        case UnsupportedStep(feature=feature):
            return {**_fields(value, but="feature"), feature: True}
        case HandoffStep(use=use):
            return {**_fields(value, but="use"), "handoff": use}
        case Agent():
            return _fields(value, but="searches")  # they are uses
        case Use(target=target):
            return {**_fields(value, but="target"), **_target(target)}
    return _fields(value)


def _fields(value: object, *, but: str = "") -> Facts:
    assert is_dataclass(value)
    found = ((field.name, getattr(value, field.name)) for field in fields(value))
    return {
        name: _fact(inner) for name, inner in found if name not in _OF_THE_KEY and name != but and inner is not None
    }


def _fact(value: object) -> Facts | JsonValue:
    match value:
        case PythonTarget() | StaticTarget():
            return str(value)
        case DeliverySpec():
            return _asked(value)
        case timedelta():
            return format_duration(value)
        case Enum():
            return str(value.value).lower()
        case FanOut(items, max_concurrent):
            return {"items": _whole(items), "max_concurrent": max_concurrent}
        case Mapping():
            return _entries(value) if all(is_dataclass(inner) for inner in value.values()) else _whole(dict(value))
        case tuple():
            return _listed(value)
    return _entry(value) if is_dataclass(value) else _whole(cast(JsonValue, value))


def _entries(values: Mapping[str, object]) -> Facts:
    return {name: _entry(value) for name, value in values.items()}


def _listed(values: tuple[object, ...]) -> Facts | JsonValue:
    """Steps by what they are called, and their order; anything else is a list and compared whole."""
    steps = [value for value in values if isinstance(value, Step)]
    if not steps:
        return [cast(JsonValue, value) for value in values]
    return {ORDER: [step.label for step in steps], **{step.label: _entry(step) for step in steps}}


def _target(target: StaticTarget | Discovery) -> Facts:
    match target:
        case StaticTarget():
            return {"to": str(target)}
        case Discovery() as need:
            facts: Facts = {"tags": list(need.tags), "select": need.select.value}
            said: Facts = {"discover": need.name, "key": need.key}
            said |= {"prefer": list(need.prefer), "avoid": list(need.avoid)}
            return facts | {key: value for key, value in said.items() if value}


def _asked(spec: DeliverySpec) -> str:
    parts = (spec.method, spec.address, spec.key, spec.ttl and format_duration(spec.ttl))
    return " ".join(str(part) for part in parts if part is not None)


def _whole(value: JsonValue) -> JsonValue:
    return Whole(value) if isinstance(value, dict) else value


def _plain(value: object) -> JsonValue:
    """A value of a script, as data."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return [_plain(inner) for inner in value] if isinstance(value, tuple) else cast(JsonValue, value)


def is_part(value: Facts | JsonValue) -> TypeGuard[Facts]:
    """Whether it is a mapping of keys, to be looked into."""
    return isinstance(value, dict) and not isinstance(value, Whole)


def leaves(facts: Facts, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], JsonValue]]:
    """Every value with its path, in order of path; a mapping without entries is one too."""
    for key in sorted(facts):
        value = facts[key]
        if is_part(value) and value:
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key), value
