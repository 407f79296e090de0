"""Every key that a file may have is live, rolling or needs a restart, and says so where it is described."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runner.config.keys import FILES, keys
from runner.config.schema import schemas
from runner.plan import fields
from runner.plan.fields import CLASSES, FieldClass, class_of


@pytest.mark.parametrize("file", FILES)
def test_each_key_of_the_files_has_a_class(file: str) -> None:
    """A key is missing here: say in `runner/plan/fields.py` what a change of it means for a running network."""
    assert {key.path for key in keys(FILES[file])} - CLASSES[file].keys() == set()


@pytest.mark.parametrize("file", FILES)
def test_each_class_is_that_of_a_key(file: str) -> None:
    assert CLASSES[file].keys() - {key.path for key in keys(FILES[file])} == set()


@pytest.mark.parametrize("table", [fields._NETWORK, fields._ENSEMBLE, fields._SCRIPT])
def test_no_key_has_two_classes(table: dict[FieldClass, tuple[str, ...]]) -> None:
    paths = [path for group in table.values() for path in group]
    assert sorted(set(paths)) == sorted(paths)


@pytest.mark.parametrize(
    ("file", "path", "field_class"),
    [
        ("network", "network", FieldClass.RESTART),
        ("network", "nats.url", FieldClass.RESTART),
        ("network", "defaults.deadline", FieldClass.LIVE),
        ("network", "models.chef.0.script.cases", FieldClass.ROLLING),
        ("ensemble", "capacity.max_concurrent", FieldClass.LIVE),
        ("ensemble", "uses.deliver.retry.attempts", FieldClass.LIVE),
        ("ensemble", "tasks.cook.steps.0.retry.attempts", FieldClass.ROLLING),
        ("ensemble", "tasks.cook.share", FieldClass.LIVE),
        ("ensemble", "tasks.cook", FieldClass.ROLLING),
        ("ensemble", "uses.uses", FieldClass.LIVE),
        ("ensemble", "code.kitchen.py", FieldClass.ROLLING),
    ],
)
def test_a_value_has_the_class_of_the_nearest_key(file: str, path: str, field_class: FieldClass) -> None:
    assert class_of(path.split("."), file=file) is field_class


def test_what_is_no_key_has_no_class() -> None:
    with pytest.raises(KeyError):
        class_of(("colour",), file="ensemble")


@pytest.mark.parametrize("file", FILES)
def test_the_schema_describes_each_key_with_its_class(file: str) -> None:
    schema = json.loads(schemas()[f"{file}.schema.json"])
    silent = [
        f"{place}.{name}"
        for place, part in [("file", schema), *schema["definitions"].items()]
        for name, key in part.get("properties", {}).items()
        if not _says_a_class(key)
    ]
    assert silent == []


def _says_a_class(key: dict[str, Any]) -> bool:
    return any(
        f"A change {said}" in key.get("description", "") for said in ("is live", "is rolling", "needs a restart")
    )
