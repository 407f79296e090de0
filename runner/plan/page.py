"""The field classes as a table of the documentation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from runner.config.keys import ENTRY, FILES, keys
from runner.plan.fields import CLASSES, FieldClass

_ROWS = {"network": "the network file", "ensemble": "an ensemble", "script": "a script"}
_CODE = {FieldClass.ROLLING: "what tools and steps name, and what that imports"}


def table() -> str:
    """Markdown. A key that it does not have is of the class of what it is part of."""
    rows = [
        ("", *FieldClass),
        ("---", *("---" for _ in FieldClass)),
        *(_row(title, found) for file in FILES for title, found in _parts(file)),
        ("Python files", *(_CODE.get(field_class, "") for field_class in FieldClass)),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(title: str, found: dict[FieldClass, list[str]]) -> tuple[str, ...]:
    return title, *(", ".join(f"`{key}`" for key in found[field_class]) for field_class in FieldClass)


def _parts(file: str) -> Iterator[tuple[str, dict[FieldClass, list[str]]]]:
    """The file itself, and each part of it in which a key is of another class than the part."""
    classes = CLASSES[file]
    parts: dict[str, dict[FieldClass, list[str]]] = {}
    for key in keys(FILES[file]):
        part, _, name = key.path.rpartition(".")
        parts.setdefault(part, defaultdict(list))[classes[key.path]].append(name)
    for part, found in parts.items():
        if not part:
            yield _ROWS[file], found
        elif found.keys() != {classes[part.removesuffix(f".{ENTRY}").removesuffix(f".{ENTRY}")]}:
            yield f"{_ROWS[file]}: `{part}`", found
