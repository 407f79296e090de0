"""References, documents and what they are, without a server."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue
from pydantic_core import to_json

from runner.payload import (
    Document,
    Kind,
    PayloadProblem,
    Reference,
    content_digest,
    encoded,
    is_reference,
    kind_of,
    reference_in,
)

TEXTS = st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_a_value_that_is_put_away_comes_back_as_it_was(value: JsonValue):
    assert Document("it", encoded(value), Kind.JSON).value() == value


@given(TEXTS)
def test_text_comes_back_as_it_was(text: str):
    assert Document("it", text.encode(), Kind.TEXT).value() == text


@given(st.binary(), st.sampled_from(Kind))
def test_whatever_the_bytes_are_they_have_a_value_or_a_coded_problem(data: bytes, kind: Kind):
    try:
        code = (Document("it", data, kind).value(), "INVALID_INPUT")[1]
    except PayloadProblem as problem:
        code = problem.error.code
    assert code == "INVALID_INPUT"


@given(VALUES)
def test_a_reference_counts_as_its_content(value: JsonValue):
    data = to_json(value)
    reference = Reference(object="anything", size=len(data), sha256=hashlib.sha256(data).hexdigest()).told()
    assert content_digest(reference) == content_digest(value)


def test_references_without_a_hash_count_by_their_name():
    first, same, other = (content_digest({"$payload": {"object": name}}) for name in ("a", "a", "b"))
    assert first == same != other
    assert len(content_digest({"$payload": "nonsense"})) == 64


def test_a_reference_is_written_as_it_is_read():
    told: JsonValue = {"$payload": {"object": "menu", "bytes": 4, "sha256": "0" * 64}}
    assert is_reference(told)
    assert reference_in(told).told() == told
    assert reference_in({"$payload": {"object": "menu"}}).told() == {"$payload": {"object": "menu"}}


@pytest.mark.parametrize("value", [None, "text", [], {}, {"$payload": {}, "more": 1}, {"payload": {}}])
def test_what_is_no_reference_is_content(value: JsonValue):
    assert not is_reference(value)


@pytest.mark.parametrize(
    ("name", "headers", "kind"),
    [
        ("menu", None, Kind.UNSAID),
        ("menu.JSON", None, Kind.JSON),
        ("menu.txt", {"Content-Type": ["application/json; charset=utf-8"]}, Kind.JSON),
        ("menu", {"content-type": "application/ld+json"}, Kind.JSON),
        ("menu.json", {"Content-Type": ["text/markdown"]}, Kind.TEXT),
        ("menu.json", {"Content-Type": [""]}, Kind.UNSAID),
    ],
)
def test_a_document_is_what_its_header_or_its_name_says(name: str, headers: dict[str, object] | None, kind: Kind):
    assert kind_of(name, headers) is kind
