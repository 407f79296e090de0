"""A task's typed contract: how a context breaks it, and what it asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from pydantic import JsonValue

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_MAX_PROBLEMS = 5
_MAX_SCHEMA = 200


def misfit(schema: Mapping[str, JsonValue], context: JsonValue) -> str | None:
    """How the context breaks the contract, or None."""
    found = _validator(json.dumps(schema)).iter_errors(context)
    problems = sorted(found, key=lambda problem: problem.json_path)
    shown = [f"{problem.json_path}: {problem.message[:200]}" for problem in problems[:_MAX_PROBLEMS]]
    if len(problems) > _MAX_PROBLEMS:
        shown.append(f"and {len(problems) - _MAX_PROBLEMS} more")
    return "; ".join(shown) or None


def expected(schema: Mapping[str, JsonValue]) -> str:
    """What a contract asks for, as far as its top level tells."""
    properties, needed = schema.get("properties"), schema.get("required")
    required = [str(name) for name in needed] if isinstance(needed, list) else []
    optional = [name for name in properties if name not in required] if isinstance(properties, dict) else []
    parts = []
    if required:
        parts.append(f"it needs {', '.join(f'`{name}`' for name in required)}")
    if optional:
        parts.append(f"it {'also ' if required else ''}takes {', '.join(f'`{name}`' for name in optional)}")
    return " and ".join(parts) or f"its `input_schema` is {json.dumps(schema)[:_MAX_SCHEMA]}"


@lru_cache(maxsize=256)
def _validator(schema_text: str) -> Validator:
    """A judge for a schema. It fetches nothing: a reference to another document does not resolve."""
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing.jsonschema import EMPTY_REGISTRY

    schema = json.loads(schema_text)
    return validator_for(schema, default=Draft202012Validator)(schema, registry=EMPTY_REGISTRY)
