"""A typed contract is a JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import JsonValue

from runner.config.codes import Rule
from runner.config.draft import Contract, Draft
from runner.config.path import Path
from runner.diagnostics import Diagnostic


def contracts_are_schemas(draft: Draft) -> Iterator[Diagnostic]:
    for contract in draft.contracts.values():
        yield from _faults(contract)


def _faults(contract: Contract) -> Iterator[Diagnostic]:
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for

    schema: dict[str, JsonValue] = dict(contract.schema)
    try:
        kind = validator_for(schema)
        kind.check_schema(schema)
    except SchemaError as error:
        place: Path = (*contract.place, *error.absolute_path)
        message = f"this is no valid JSON Schema: {error.message[:200]}"
        yield Diagnostic(Rule.INVALID_SCHEMA, message, contract.written.span(place))
    except (ValueError, TypeError, RecursionError, AttributeError):
        span = contract.written.span(contract.place, key=True)
        yield Diagnostic(Rule.INVALID_SCHEMA, "this is no valid JSON Schema", span, hint="is `$schema` a known one?")
