"""Every key that the files may have, by its path: what the field classes, the schemas and the documentation go over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from runner.config.ensemble_file import EnsembleFile
from runner.config.network_file import NetworkFile
from runner.config.script_file import ScriptFile

ENTRY = "*"
"""In a path: any name of a mapping, or any place in a list."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a file model. `path` leads to it from the top of its file, as in `uses.*.retry.attempts`."""

    path: str
    model: str
    name: str


FILES: dict[str, type[BaseModel]] = {"network": NetworkFile, "ensemble": EnsembleFile, "script": ScriptFile}
"""What is read, each with a table of field classes of its own."""


def keys(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[Key]:
    """Every key of a file, those of its parts after the one that holds them."""
    for name, field in model.model_fields.items():
        path = (*above, name)
        yield Key(".".join(path), model.__name__, name)
        for part, way in _parts(field.annotation):
            yield from keys(part, (*path, *way))


def _parts(annotation: Any) -> Iterator[tuple[type[BaseModel], tuple[str, ...]]]:
    """The models inside a type, each with the way to it: through a mapping or a list it is an entry."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, ()
        return
    way = (ENTRY,) if get_origin(annotation) in (dict, list, tuple) else ()
    for inner in get_args(annotation):
        for model, below in _parts(inner):
            yield model, (*way, *below)
