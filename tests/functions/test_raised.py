"""What user code raises, in words that a record can carry and a terminal can show."""

from __future__ import annotations

import pytest

from runner.functions.raised import Escaped, described, in_full, ordinary


class Mute(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt


class NoText(Exception):
    def __str__(self) -> str:
        return 7  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("too hot"), "too hot"),
        (ValueError(), "ValueError"),
        (ValueError("  \n"), "ValueError"),
        (KeyError("beef"), "KeyError: 'beef'"),
        (StopIteration("beef"), "StopIteration: beef"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (GeneratorExit("gone"), "GeneratorExit: gone"),
        (Escaped(SystemExit(3)), "SystemExit: 3"),
        (Mute(), "Mute"),
        (NoText(), "NoText"),
        (ValueError("a\ud800b"), "a�b"),
        (ValueError("\x1b[31mred\x07\x9b0m\x7f"), "�[31mred��0m�"),
        (ValueError("one\r\ntwo\n\tthree\r"), "one\ntwo\n\tthree�"),
        (type("Ex\x1b", (Exception,), {})(), "Ex�"),
        (ValueError("x" * 5_000), "x" * 2_000 + "…"),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, BaseException) else "",
)
def test_the_words_are_clean_bounded_and_name_the_type_where_it_says_more(error: BaseException, text: str) -> None:
    assert described(error) == text
    described(error).encode()


def test_in_full_names_the_type_always() -> None:
    assert in_full(ValueError("too hot")) == "ValueError: too hot"
    assert in_full(Mute()) == "Mute"


def test_only_what_an_event_loop_cannot_take_is_wrapped() -> None:
    for error in (ValueError(), StopAsyncIteration(), TimeoutError()):
        assert ordinary(error) is error
    for unusual in (KeyboardInterrupt(), SystemExit(3), GeneratorExit(), StopIteration(), BaseException()):
        escaped = ordinary(unusual)
        assert isinstance(escaped, Escaped)
        assert escaped.error is unusual
