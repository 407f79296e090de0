"""The generated schemas are up to date, are draft-07, and accept what the reader accepts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from runner.config.codes import Rule
from runner.config.document import parse
from runner.config.explain import codes, explain
from runner.config.schema import schemas
from runner.work import WorkRequest, new_trace
from tests.config.design import FILES

SCHEMAS = Path(__file__).parents[2] / "schemas"

SHORT_FORMS = """\
network: n
nats: {url: "nats://a:4222"}
tags: {food: meals}
deliveries: {a: {webhook: "https://a.example"}, b: {store: key}}
defaults: {max_hops: "${env:HOPS}", deadline: "${env:DEADLINE:-PT30M}", priority: "${env:PRIORITY}"}
ensembles:
  a: a.yaml
  b:
    uses: {x: a/t, y: {tags: [food], delivery: a}, z: {to: a/t, delivery: {topic: t}}}
    tools: {t: {python: "b.c:t", share: true}, u: {python: "b:u", share: [food]}, v: {python: "b:v", share: false}}
    tasks:
      w:
        share: {tags: [food]}
        input_schema: {type: object}
        steps: [{tool: t, when: true, for_each: "{{ context }}"}, {tool: t, for_each: [1]}]
"""


def _faults(name: str, text: str) -> list[str]:
    document = parse("x.yaml", text.encode()).document
    assert document is not None
    schema = json.loads(schemas()[f"{name}.schema.json"])
    return [f"{fault.json_path}: {fault.message}" for fault in Draft7Validator(schema).iter_errors(document.data)]


def test_the_files_in_schemas_are_what_the_models_say() -> None:
    """Stale: run `run-network schema --write`."""
    written = {path.name: path.read_text() for path in SCHEMAS.glob("*.json")}
    assert written == schemas()


@pytest.mark.parametrize("name", schemas())
def test_each_is_draft_07(name: str) -> None:
    schema = json.loads(schemas()[name])
    Draft7Validator.check_schema(schema)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert "$defs" not in schemas()[name]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("network", FILES["network.yaml"]),
        ("network", SHORT_FORMS),
        ("ensemble", FILES["ensembles/kitchen.yaml"]),
        ("ensemble", FILES["ensembles/maintenance.yaml"]),
        ("script", FILES["ensembles/scripts/concierge.yaml"]),
    ],
)
def test_it_accepts_what_the_reader_accepts(name: str, text: str) -> None:
    assert _faults(name, text) == []


@pytest.mark.parametrize("code", [code for code in codes() if code in set(Rule)])
def test_it_accepts_every_fixed_example(code: str) -> None:
    assert _faults("network", explain(code).fixed["network.yaml"]) == []


@pytest.mark.parametrize("code", ["unknown-key", "missing-key", "wrong-type", "invalid-value", "invalid-name"])
def test_it_refuses_what_is_wrong_in_shape(code: str) -> None:
    assert _faults("network", explain(code).failing["network.yaml"]) != []


def test_a_request_on_the_wire_fits_its_schema() -> None:
    request = WorkRequest.model_validate(
        {
            "requestId": "r1",
            "from": "_cli",
            "task": "kitchen/prepare-meal",
            "context": "Soup",
            "traceContext": new_trace(),
            "submittedAt": "2026-01-01T00:00:00Z",
        }
    )
    schema = json.loads(schemas()["work-request.schema.json"])
    assert list(Draft7Validator(schema).iter_errors(json.loads(request.encode()))) == []
