"""Plain scalars mean what YAML 1.2 says."""

from __future__ import annotations

import pytest

from runner.config.scalars import OutOfRange, Scalar, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, None) for text in ("", "~", "null", "Null", "NULL")),
        *((text, True) for text in ("true", "True", "TRUE")),
        *((text, False) for text in ("false", "False", "FALSE")),
        *((text, text) for text in ("yes", "no", "on", "off", "y", "n", "tRUE", "nil", "2024-01-01")),
        *((text, text) for text in ("1:30", "0b1", "1_000")),
        ("0", 0),
        ("-12", -12),
        ("+7", 7),
        ("010", 10),
        ("0o17", 15),
        ("0xfF", 255),
        ("1.5", 1.5),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("-", "-"),
        (".", "."),
        ("1.2.3", "1.2.3"),
        (str(2**63 - 1), 2**63 - 1),
    ],
)  # fmt: skip
def test_resolve(text: str, value: Scalar) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@pytest.mark.parametrize("text", [str(2**63), "9" * 5000, "0x" + "f" * 17, ".inf", "-.INF", ".nan", "1e999"])
def test_numbers_that_no_reader_of_json_could_carry(text: str) -> None:
    with pytest.raises(OutOfRange):
        resolve(text)
