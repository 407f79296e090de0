"""The filters and operators that can make much of little, judged before they do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any

from jinja2 import pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context

from runner.sandbox.meter import MAX_BITS, MAX_SIZE, MAX_WIDTH, METER, charged, refuse_above, size_of
from runner.sandbox.plain import plain

_WIDE_FORMAT = re.compile(r"%(\([^)]*\))?[-#0 +]*(\*|\d{4,}|\d*\.(\*|\d{4,}))")


def metered_filter(function: Callable[..., Any], *, widths: bool) -> Callable[..., Any]:
    @wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        METER.get().tick()
        for argument in [*arguments[1:], *named.values()] if widths else ():
            if isinstance(argument, int | float):
                refuse_above(MAX_WIDTH, abs(argument), "a width")
        return charged(function(*arguments, **named))

    return run


def joined(items: Iterable[Any]) -> str:
    meter, texts = METER.get(), []
    for item in items:
        meter.charge(size_of(item))
        texts.append(str(item))
    return "".join(texts)


@pass_context
def join(context: Context, value: Iterable[Any], separator: object = "", attribute: str | int | None = None) -> str:
    def spaced() -> Iterator[Any]:
        for number, item in enumerate(value):
            METER.get().tick()
            if number and separator != "":
                yield separator
            yield item if attribute is None else context.environment.getitem(item, attribute)

    return joined(spaced())


def replace(text: object, old: object, new: object, count: int = -1) -> str:
    source, needle, substitute = str(text), str(old), str(new)
    refuse_above(MAX_SIZE, len(source) + source.count(needle) * len(substitute), "the size of a replacement")
    return source.replace(needle, substitute, -1 if count is None else count)


def indented(text: object, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    source, margin = str(text), width
    if isinstance(margin, int):
        refuse_above(MAX_WIDTH, margin, "a width")
        margin = " " * margin
    refuse_above(MAX_SIZE, len(source) + len(source.splitlines()) * len(margin), "the size of an indented text")
    lines = source.splitlines()
    return "\n".join(
        margin + line if (number or first) and (line or blank) else line for number, line in enumerate(lines)
    )


def formatted(text: object, *arguments: object, **named: object) -> str:
    return percent(str(text), named or arguments)


def percent(text: str, values: object) -> str:
    if _WIDE_FORMAT.search(text):
        raise SecurityError("a format's width is given by a star or has more than three digits")
    refuse_above(MAX_SIZE, text.count("%") * size_of(values), "the size of a formatted text")
    return text % values


def to_json(value: object, indent: int | None = None) -> str:
    refuse_above(16, indent or 0, "a width")
    return json.dumps(plain(value), ensure_ascii=False, indent=indent)


def times(left: Any, right: Any) -> Any:
    for one, other in ((left, right), (right, left)):
        if isinstance(one, str | list | tuple) and isinstance(other, int):
            refuse_above(MAX_SIZE, size_of(one) * other, "the size of a product")
    if isinstance(left, int) and isinstance(right, int):
        refuse_above(MAX_BITS, left.bit_length() + right.bit_length(), "the number of bits of a product")
    return left * right


def power(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int):
        refuse_above(MAX_BITS, max(left.bit_length(), 1) * abs(right), "the number of bits of a power")
    return left**right


def modulo(left: Any, right: Any) -> Any:
    return percent(left, right) if isinstance(left, str) else left % right
