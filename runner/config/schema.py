"""JSON Schemas of the files and the wire, in draft-07, which editors read: `run-network schema --write`.

They are generated from the models that read the files, so they accept what the reader accepts. Each key of a file is
described with what a change of it means for a running network.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import cast

from pydantic import BaseModel, JsonValue

from runner.config.ensemble_file import EnsembleFile
from runner.config.keys import FILES, keys
from runner.config.network_file import NetworkFile
from runner.config.script_file import ScriptFile
from runner.plan.fields import CLASSES, FieldClass
from runner.work import TaskAccepted, TaskProgress, TaskRejected, WorkRequest, WorkResponse

DIALECT = "http://json-schema.org/draft-07/schema#"
MODELS: dict[str, tuple[str, type[BaseModel]]] = {
    "network": ("A network of ensembles (network.yaml)", NetworkFile),
    "ensemble": ("One ensemble, in a file of its own", EnsembleFile),
    "script": ("The script of a scripted model", ScriptFile),
    "work-request": ("WorkRequest", WorkRequest),
    "work-response": ("WorkResponse", WorkResponse),
    "task-accepted": ("TaskAccepted", TaskAccepted),
    "task-progress": ("TaskProgress", TaskProgress),
    "task-rejected": ("TaskRejected", TaskRejected),
}

Schema = dict[str, JsonValue]

_REFERENCE: Schema = {
    "type": "string",
    "pattern": r"\$\{(env|file):",
    "description": "A reference: `${env:NAME}`, `${env:NAME:-default}` or `${file:path}`.",
}
_FILES = tuple(FILES.values())
_OUTSIDE = ("description", "default")


def schemas() -> dict[str, str]:
    """The text of every schema by its file name, such as `network.schema.json`."""
    return {f"{name}.schema.json": _text(title, model) for name, (title, model) in MODELS.items()}


def _text(title: str, model: type[BaseModel]) -> str:
    generated: Schema = model.model_json_schema(by_alias=True, mode="validation")
    is_file = model in _FILES
    if is_file:
        _describe(generated, model.__name__)
    schema: Schema = {"$schema": DIALECT, **_draft_07(generated, is_file=is_file), "title": title}
    definitions = schema.get("definitions")
    if is_file and isinstance(definitions, dict):
        definitions["Reference"] = _REFERENCE
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _describe(generated: Schema, root: str) -> None:
    """Say of each key of a file what becomes of a change of it."""
    parts = {**cast(dict[str, Schema], generated.get("$defs", {})), root: generated}
    for (model, name), classes in sorted(_classes().items()):
        key = cast(dict[str, Schema], parts.get(model, {}).get("properties", {})).get(name)
        if key is not None:
            key["description"] = f"{key.get('description', '')}\n{_said(classes)}".lstrip()


def _classes() -> dict[tuple[str, str], set[FieldClass]]:
    """The classes of each key, by its model. Of a part that stands in several places, as a retry does, all of them."""
    found: dict[tuple[str, str], set[FieldClass]] = defaultdict(set)
    for file, model in FILES.items():
        for key in keys(model):
            found[key.model, key.name].add(CLASSES[file][key.path])
    return found


def _said(classes: set[FieldClass]) -> str:
    if FieldClass.RESTART in classes:
        return "A change needs a restart."
    said = " or ".join(field_class for field_class in FieldClass if field_class in classes)
    return f"A change is {said}." if len(classes) == 1 else f"A change is {said}, as what this is part of."


def _draft_07(node: Schema, *, is_file: bool) -> Schema:
    """The same schema in the older dialect, without what only Python needs to know.

    In files a key is either given a value or left out: the null that stands for left out is not part of the schema.
    """
    schema = {_keyword(key): _converted(key, value, is_file=is_file) for key, value in node.items()}
    if not isinstance(schema.get("title"), dict):
        schema.pop("title", None)
    if is_file:
        _without_null(schema)
    if "patternProperties" in schema:
        schema.setdefault("additionalProperties", False)
    if "$ref" in schema and len(schema) > 1:
        schema["allOf"] = [{"$ref": schema.pop("$ref")}]
    return _or_reference(schema) if is_file and _is_narrow(schema) else schema


def _is_narrow(schema: Schema) -> bool:
    """Whether a value must be something that the text of a reference is not."""
    return schema.get("type") in ("integer", "number", "boolean") or not schema.keys().isdisjoint(("pattern", "enum"))


def _or_reference(schema: Schema) -> Schema:
    outside = {key: value for key, value in schema.items() if key in _OUTSIDE}
    inside: Schema = {key: value for key, value in schema.items() if key not in _OUTSIDE}
    return {**outside, "anyOf": [inside, {"$ref": "#/definitions/Reference"}]}


def _keyword(key: str) -> str:
    return "definitions" if key == "$defs" else key


def _converted(key: str, value: JsonValue, *, is_file: bool) -> JsonValue:
    if key == "$ref" and isinstance(value, str):
        return value.replace("#/$defs/", "#/definitions/")
    if key in ("default", "const", "enum", "required", "examples"):
        return value
    if key in ("properties", "patternProperties", "$defs") and isinstance(value, dict):
        return {name: _schema(below, is_file=is_file) for name, below in value.items()}
    if isinstance(value, list):
        return [_schema(item, is_file=is_file) for item in value]
    return _schema(value, is_file=is_file)


def _schema(value: JsonValue, *, is_file: bool) -> JsonValue:
    return _draft_07(value, is_file=is_file) if isinstance(value, dict) else value


def _without_null(schema: Schema) -> None:
    if "default" in schema and schema["default"] is None:
        del schema["default"]
    choices = schema.get("anyOf")
    if not isinstance(choices, list) or {"type": "null"} not in choices:
        return
    left = [choice for choice in choices if choice != {"type": "null"}]
    if len(left) == 1 and isinstance(left[0], dict):
        del schema["anyOf"]
        schema.update({key: value for key, value in left[0].items() if key not in schema})
    else:
        schema["anyOf"] = left
