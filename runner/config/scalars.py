"""YAML 1.2 core schema: what a plain scalar means. `no`, `on` and dates are text."""

from __future__ import annotations

import math
import re

Scalar = str | int | float | bool | None

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_STARTS = frozenset("+-.0123456789~nNtTfF")
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_MOST_DIGITS = 20
_LARGEST = 2**63


class OutOfRange(ValueError):
    """The number does not fit in 64 bits, or is not finite."""


def resolve(text: str) -> Scalar:
    """The value of a plain scalar. Raises OutOfRange for a number that JSON and its readers cannot carry."""
    if text and text[0] not in _STARTS:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _DECIMAL.fullmatch(text):
        return _integer(text, 10)
    if _BASED.fullmatch(text):
        return _integer(text, 0)
    if _FLOAT.fullmatch(text):
        return _finite(float(text))
    if _SPECIAL.fullmatch(text):
        raise OutOfRange
    return text


def _integer(text: str, base: int) -> int:
    if len(text.lstrip("+-0ox")) > _MOST_DIGITS:
        raise OutOfRange
    number = int(text, base)
    if not -_LARGEST <= number < _LARGEST:
        raise OutOfRange
    return number


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise OutOfRange
    return number
