"""The differences between two resolved networks, field by field, in a stable order and without their secrets."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from runner.model import Ensemble, Network
from runner.plan.facts import Facts, is_part, of_ensemble, of_network
from runner.plan.fields import CODE, FieldClass, class_of

HIDDEN = "(hidden)"
"""What stands for a secret, whatever it is."""

SECRET_KEYS = frozenset({"credentials", "api_key", "token", "secret"})
_USER_INFO = re.compile(r"(?<=://)[^/?#\s]*@")
_SHORTEST_SECRET = 3
_ENTRIES = frozenset({"uses", "agents", "tools", "tasks", "models", "deliveries", "steps"})


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `ensemble` is None for the network itself; `path` is that of the key, from the top of its file.

    `before` and `after` are as resolved, None for what is not there. `added` and `removed` tell of whole entries.
    """

    ensemble: str | None
    path: tuple[str, ...]
    before: JsonValue
    after: JsonValue
    field_class: FieldClass
    digest: str = field(default="", repr=False, compare=False)
    """Of the values as they are, secrets included: two changes that read the same may differ in it."""

    @property
    def key(self) -> str:
        return ".".join(self.path)

    @property
    def in_code(self) -> bool:
        return self.path[0] == CODE


@dataclass(frozen=True, slots=True)
class Mask:
    """Takes out of values what must not be shown: the given texts, and whatever stands under a key of a secret."""

    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    def of(self, path: tuple[str, ...], value: JsonValue) -> JsonValue:
        if value is None:
            return None
        return HIDDEN if path[-1] in SECRET_KEYS else self._shown(value)

    def text(self, value: str) -> str:
        """The text, or what stands for one that has a secret in it."""
        hides = any(s in value if len(s) >= _SHORTEST_SECRET else s == value for s in self.secrets if s)
        return HIDDEN if hides else _USER_INFO.sub("", value)

    def _shown(self, value: JsonValue) -> JsonValue:
        match value:
            case str():
                return self.text(value)
            case list():
                return [self._shown(item) for item in value]
            case dict():
                return {key: self.of((key,), inner) for key, inner in value.items()}
        return value


def changes_of_network(before: Network, after: Network, mask: Mask) -> tuple[Change, ...]:
    """What differs in the network file itself, its ensembles aside."""
    return tuple(_changes(None, of_network(before), of_network(after), mask))


def changes_of_ensemble(before: Ensemble, after: Ensemble, mask: Mask) -> tuple[Change, ...]:
    """What differs between two versions of an ensemble, its code aside."""
    if before is after or repr(before) == repr(after):  # far cheaper than looking closely, and as strict
        return ()
    return tuple(_changes(after.name, of_ensemble(before), of_ensemble(after), mask))


def changes_of_code(ensemble: str, before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Change, ...]:
    """The Python files of an ensemble whose digest is another, in order of path."""
    return tuple(
        _change(ensemble, (CODE, path), before.get(path), after.get(path), Mask())
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    )


def _changes(
    ensemble: str | None, before: Facts, after: Facts, mask: Mask, above: tuple[str, ...] = ()
) -> Iterator[Change]:
    for key in sorted(before.keys() | after.keys(), key=_order):
        old, new, path = before.get(key), after.get(key), (*above, key)
        if is_part(old) and is_part(new):
            yield from _changes(ensemble, old, new, mask, path)
        elif not _same(old, new):
            yield _change(ensemble, path, old, new, mask)


def _same(old: object, new: object) -> bool:
    """Whether two values are one in JSON, where 1 and true are two."""
    return old == new and json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)


def _order(key: str) -> tuple[int, int, str]:
    """Places in a list by their number, before names."""
    return (0, int(key), key) if key.isdigit() else (1, 0, key)


def _change(ensemble: str | None, path: tuple[str, ...], before: JsonValue, after: JsonValue, mask: Mask) -> Change:
    return Change(
        ensemble,
        path,
        mask.of(path, before),
        mask.of(path, after),
        class_of(path, file="network" if ensemble is None else "ensemble"),
        digest_of([before, after]),
    )


def digest_of(value: JsonValue) -> str:
    """The SHA-256 of a value, whatever the order of its mappings."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
