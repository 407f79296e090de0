# ruff: noqa: E501 - as it is printed
"""A typed contract is a JSON Schema."""

from __future__ import annotations

from tests.support.sources import said


def test_a_fault_is_pointed_at_in_its_own_file() -> None:
    files = {
        "network.yaml": """\
network: n
ensembles:
  a:
    tasks:
      t: {input_schema: t.json, steps: [{template: Done.}]}
      u: {input_schema: {type: objct}, steps: [{template: Done.}]}
      v: {input_schema: 5, steps: [{template: Done.}]}
      w: {input_schema: {type: object, required: [x]}, steps: [{template: Done.}]}
""",
        "t.json": """\
{
  "properties": {
    "dish": {"type": "txt"}
  }
}
""",
    }
    assert (
        said(files)
        == """\
network.yaml:6:32: error[invalid-schema]: this is no valid JSON Schema: 'objct' is not valid under any of the given schemas
network.yaml:7:25: error[wrong-type]: `input_schema` must be a path or a JSON Schema
t.json:3:22: error[invalid-schema]: this is no valid JSON Schema: 'txt' is not valid under any of the given schemas
""".rstrip()
    )
