"""The environment: what templates can reach, every operation of it metered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, TypeVar

from jinja2 import StrictUndefined, Undefined, pass_context
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range

from runner.sandbox.meter import METER, charged, size_of
from runner.sandbox.operations import (
    formatted,
    indented,
    join,
    joined,
    metered_filter,
    modulo,
    power,
    replace,
    times,
    to_json,
)

_DROPPED_FILTERS = {"random", "pprint", "xmlattr", "urlize"}
_WIDTH_FILTERS = {"center", "batch", "slice", "round", "wordwrap"}
_TEXT_METHODS = """
capitalize casefold count endswith find index isalnum isalpha isdecimal isdigit islower isnumeric isspace istitle
isupper lower lstrip partition removeprefix removesuffix rfind rindex rpartition rsplit rstrip split splitlines
startswith strip swapcase title upper
"""
MAPPING_METHODS = frozenset({"keys", "values", "items", "get"})
_LIST_METHODS = frozenset({"count", "index"})
_T = TypeVar("_T")


@pass_context
def _finalize(context: Context, value: object) -> object:
    """Called for every output, also inside `set` and `filter` blocks. Taking the context, it is never folded away."""
    if not isinstance(value, Undefined):
        METER.get().charge(size_of(value))
    return value


class Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"+", "*", "**", "%"})
    text_methods = frozenset(_TEXT_METHODS.split())

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, finalize=_finalize, keep_trailing_newline=True, optimized=False)
        self.globals = {"range": safe_range, "dict": dict, "namespace": self.globals["namespace"]}
        self.binop_table |= {"*": times, "**": power, "%": modulo}
        own = {"join": join, "replace": replace, "indent": indented, "format": formatted, "tojson": to_json}
        self.filters = {
            name: metered_filter(function, widths=name in _WIDTH_FILTERS)
            for name, function in {**FILTERS, **own}.items()
            if name not in _DROPPED_FILTERS
        }

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        match obj:
            case str():
                return attr in self.text_methods
            case dict():
                return attr in MAPPING_METHODS
            case list():
                return attr in _LIST_METHODS
            case _:
                return super().is_safe_attribute(obj, attr, value)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Data goes before methods: `context.items` is the entry called items, where there is one."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        if isinstance(obj, str):
            match attribute:
                case "join":
                    return lambda items: joined(part for item in items for part in (obj, item)).removeprefix(obj)
                case "replace":
                    return lambda old, new, count=-1: replace(obj, old, new, count)
                case "format" | "format_map":
                    raise SecurityError(f"`.{attribute}()` is refused: use `~`, or the filter `format`")
        return super().getattr(obj, attribute)

    def wrap_str_format(self, value: Any) -> None:
        """No `str.format` in any guise."""
        return

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        METER.get().tick()
        return charged(super().call(__context, __obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        METER.get().tick()
        return charged(super().call_binop(context, operator, left, right))

    # what the rewritten tree calls

    def rounds(self, items: Iterable[_T], weight: int) -> Iterator[_T]:
        """The rounds of a loop, each ticked and charged for the text it repeats."""
        meter = METER.get()
        for item in items:
            meter.tick()
            meter.charge(weight)
            yield item

    def concatenated(self, *parts: object) -> str:
        return joined(parts)

    def built(self, value: _T) -> _T:
        """A list, tuple or mapping written in the template; `call` charges it."""
        return value


@lru_cache(maxsize=1)
def sandbox() -> Sandbox:
    return Sandbox()
