"""References, documents and what they are, without a server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from runner.payload import (
    Document,
    Kind,
    PayloadProblem,
    Reference,
    comparable,
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


def test_references_are_compared_by_their_content_where_it_is_known():
    first, same = (Reference(object=name, size=4, sha256="0" * 64).told() for name in ("a", "b"))
    other = Reference(object="a", size=4, sha256="1" * 64).told()
    assert comparable(first, "x") == comparable(same, "y") != comparable(other, "x")
    named = Reference(object="a").told()
    assert comparable(named, "x") != comparable(named, "y")


@pytest.mark.parametrize("value", [None, "text", {"a": 1}, {"$payload": "nonsense"}])
def test_what_is_there_itself_is_compared_as_it_is(value: JsonValue):
    assert comparable(value, "x") == value


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
