"""What a user's function gave, as plain JSON data."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from pydantic import JsonValue
from pydantic_core import to_jsonable_python

from runner.errors import CallFailed
from runner.functions.raised import words
from runner.soundness import unsound
from runner.work import Code

_PLAIN = (str, int, float, bool, type(None))
_MAX_ITEMS = 100_000


def jsonable(result: object, shown: str) -> JsonValue:
    """Plain JSON data; dataclasses, models, tuples, dates, generators and the like are converted.

    Raises CallFailed with INVALID_RESPONSE for what cannot be carried: `shown` is what the message calls the function.
    """
    try:
        plain = result if type(result) in _PLAIN else _converted(result)
    except (ValueError, TypeError, RecursionError) as error:
        raise _refusal(shown, words(error)) from error
    if fault := unsound(plain):  # type: ignore[arg-type]
        raise _refusal(shown, fault)
    return plain  # type: ignore[return-value]


def _converted(result: object) -> object:
    if isinstance(result, Iterator):
        result = list(islice(result, _MAX_ITEMS + 1))
        if len(result) > _MAX_ITEMS:
            raise ValueError(f"an iterator of more than {_MAX_ITEMS:,} items")
    return to_jsonable_python(result, inf_nan_mode="constants")


def _refusal(shown: str, fault: str) -> CallFailed:
    return CallFailed(
        f"{shown} gave what JSON cannot carry: {fault}",
        code=Code.INVALID_RESPONSE,
        hint="return text, numbers, lists, mappings, dataclasses or pydantic models",
    )
