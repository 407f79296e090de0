"""Every code has a page, and every page's examples fail and pass as they say."""

from __future__ import annotations

import pytest

from runner.config.codes import Rule
from runner.config.explain import codes, explain
from runner.errors import EnsembleNetworkError
from runner.work import Code
from tests.support import sources

_ESCAPES = {b"\\uFEFF": "\ufeff".encode(), b"\\x00": b"\0", b"\\xE9": b"\xe9"}
"""What a page shows of bytes that no page can hold."""
_OF_LOCKS = (Rule.MISSING_LOCK, Rule.LOCK_DRIFT)


def _files(example: dict[str, str]) -> dict[str, bytes]:
    files = {name: text.encode() for name, text in example.items()}
    for shown, meant in _ESCAPES.items():
        files = {name: text.replace(shown, meant) for name, text in files.items()}
    return files


def _error_codes(kind: type[EnsembleNetworkError] = EnsembleNetworkError) -> set[str]:
    return {kind.code}.union(*(_error_codes(below) for below in kind.__subclasses__()))


@pytest.mark.parametrize("code", Rule)
def test_the_failing_example_gives_the_code_and_nothing_else(code: Rule) -> None:
    reading = sources.read(_files(dict(explain(code).failing)), cautious=True, locked=code in _OF_LOCKS)
    assert set(sources.codes(reading)) - {"not-yet-supported"} == {code} - {"not-yet-supported"}
    assert code in sources.codes(reading)


@pytest.mark.parametrize("code", Rule)
def test_the_fixed_example_is_valid(code: Rule) -> None:
    reading = sources.read(_files(dict(explain(code).fixed)), cautious=True, locked=code in _OF_LOCKS)
    assert set(sources.codes(reading)) <= {"not-yet-supported"}
    assert reading.network is not None, sources.printed(reading.diagnostics)


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert set(codes()) == {*Rule, *Code} | _error_codes()


@pytest.mark.parametrize("code", codes())
def test_a_page_is_whole(code: str) -> None:
    page = explain(code)
    assert page.summary
    assert not page.summary.endswith(".")
    assert page.story.endswith((".", ")"))
    assert page.failing
    assert page.fixed
    assert page.failing != page.fixed


def test_case_does_not_count() -> None:
    assert explain("no_provider") == explain("NO_PROVIDER")


def test_an_unknown_code_is_answered_with_a_guess() -> None:
    with pytest.raises(KeyError) as raised:
        explain("unknown-tga")
    assert raised.value.args == ("unknown-tga", "did you mean `unknown-tag`?")
