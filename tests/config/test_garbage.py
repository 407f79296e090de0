"""Whatever stands in a file, reading it yields diagnostics and never an exception."""

from __future__ import annotations

import json
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.config.document import parse
from runner.config.reading import read_network, read_network_name
from runner.errors import InvalidNetwork
from tests.config.design import FILES
from tests.support.sources import MemorySource

_PLACES = ("network.yaml", "ensembles/kitchen.yaml", "ensembles/scripts/concierge.yaml", "ensembles/meal.schema.json")
_PIECES = st.sampled_from(
    [
        *"{}[]:,&*!|>'\"#%@`-? \n\t\0\ufeff",
        "null", "~", "5", "-1", "true", "1e999", "'", "&a ", "*a", "<<: ", "!!int ", "---\n", "{{", "}}", "{%",
        "${env:", "${env:A}", "${file:x}", "../", "/", "a/b", "kitchen/prepare-meal", "kitchen", "use: ", "tool: ",
        "when: ", "[]", "{}", "'': ", "? ", "\\", "\u2028", "\U0001f525", "9" * 5000, "share: true",
        "steps: ", "30s", "[" * 120,
    ]
)  # fmt: skip


@st.composite
def mutations(draw: st.DrawFn) -> dict[str, bytes]:
    """The design's files with pieces put in, cut out and moved about in one of them."""
    files = {name: text.encode() for name, text in FILES.items()}
    place = draw(st.sampled_from(_PLACES))
    text = FILES[place]
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        text = text[:start] + draw(_PIECES) + text[end:]
    files[place] = text.encode("utf-8", "surrogatepass")
    return files


def _is_sound(files: dict[str, bytes], env: dict[str, str]) -> None:
    reading = read_network(MemorySource(files), "network.yaml", env)
    assert (reading.network is None) == any(d.severity == "error" for d in reading.diagnostics)
    for diagnostic in reading.diagnostics:
        assert diagnostic.message
        lines = reading.sources.get(diagnostic.span.file, "").split("\n")
        assert diagnostic.code == "not-utf8" or 1 <= diagnostic.span.line <= len(lines)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes(data: bytes) -> None:
    _is_sound({"network.yaml": data}, {})


@settings(max_examples=300, deadline=None)
@given(st.lists(_PIECES, max_size=30))
def test_random_pieces_of_yaml(pieces: list[str]) -> None:
    _is_sound({"network.yaml": "".join(pieces).encode("utf-8", "surrogatepass")}, {"A": "b"})


@settings(max_examples=3000, deadline=None)
@given(mutations())
def test_random_mutations_of_a_valid_file(files: dict[str, bytes]) -> None:
    _is_sound(files, {"A": "\0", "LLM_BASE_URL": "x"})


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_value_in_the_place_of_another(data: st.DataObject) -> None:
    document = parse("x", FILES["ensembles/kitchen.yaml"].encode()).document
    assert document is not None
    tree = json.loads(json.dumps(document.data))
    node = tree
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = data.draw(st.sampled_from(keys))
        below = node[key]
        if not isinstance(below, (dict, list)) or not below or data.draw(st.booleans()):
            node[key] = data.draw(_VALUES)
            break
        node = below
    text = json.dumps(tree, ensure_ascii=False)
    files = {name: text.encode() for name, text in FILES.items()}
    _is_sound({**files, "ensembles/kitchen.yaml": text.encode("utf-8", "replace")}, {})


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.lists(_PIECES, max_size=8).map(lambda pieces: "".join(pieces).encode()))
def test_reading_the_name_alone(data: bytes) -> None:
    with suppress(InvalidNetwork):
        assert read_network_name(MemorySource({"network.yaml": b"network: " + data}), "network.yaml", {})
