"""The Jinja behind `templates.py`: sandboxed, strict, over plain data, and capped in time, steps and size.

The sandbox of Jinja keeps templates away from Python, not from eating the machine. So everything that can grow is
metered: loops and calls tick, outputs and built values are charged for their size, and what multiplies (`*`, `**`,
`%`, widths, `join`, `replace`) is judged before it is done. Macros, imports and recursive loops are refused: text in a
YAML file needs none, and they are where the meters would leak.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from functools import cached_property, lru_cache, wraps
from typing import Any, TypeVar

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, Undefined, meta, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range
from jinja2.visitor import NodeTransformer
from pydantic import JsonValue

from runner.templates import TemplateProblem

MAX_SIZE = 1024 * 1024
"""The most characters, or elements, that one rendering may put out or build."""
MAX_STEPS = 200_000
"""The most loop rounds, calls and filters of one rendering."""
MAX_SECONDS = 2.0
MAX_WIDTH = 1_000
MAX_BITS = 4_096
MAX_DEPTH = 200

_T = TypeVar("_T")
_WIDE_FORMAT = re.compile(r"%(\([^)]*\))?[-#0 +]*(\*|\d{4,}|\d*\.(\*|\d{4,}))")
_RESULT = "_result"
"""The variable that holds the value of an expression."""
_DROPPED_FILTERS = {"random", "pprint", "xmlattr", "urlize"}
_WIDTH_FILTERS = {"center", "batch", "slice", "round", "wordwrap"}
_TEXT_METHODS = """
capitalize casefold count endswith find index isalnum isalpha isdecimal isdigit islower isnumeric isspace istitle
isupper lower lstrip partition removeprefix removesuffix rfind rindex rpartition rsplit rstrip split splitlines
startswith strip
swapcase title upper
"""
_MAPPING_METHODS = frozenset({"keys", "values", "items", "get"})
_LIST_METHODS = frozenset({"count", "index"})
_REFUSED_NODES: dict[type[nodes.Node], str] = {
    nodes.Macro: "macro",
    nodes.CallBlock: "call",
    nodes.Block: "block",
    nodes.Extends: "extends",
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "from",
}
_RENDER_ERRORS = (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RecursionError)
_COMPILE_ERRORS = (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError)


class _Meter:
    """What one rendering has spent."""

    __slots__ = ("_ends_at", "_size", "_steps")

    def __init__(self) -> None:
        self._steps = 0
        self._size = 0
        self._ends_at = time.monotonic() + MAX_SECONDS

    def tick(self) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise SecurityError(f"the template takes more than {MAX_STEPS:,} steps")
        if time.monotonic() > self._ends_at:
            raise SecurityError(f"the template takes longer than {MAX_SECONDS:g} s")

    def charge(self, size: int) -> None:
        self._size += size
        if self._size > MAX_SIZE:
            raise SecurityError(f"the template makes more than {MAX_SIZE:,} characters")


_METER: ContextVar[_Meter] = ContextVar("template_meter")


def _size(value: object, allowed: int = MAX_SIZE) -> int:
    """Characters and elements of a value; stops counting once it is over `allowed`."""
    total, waiting = 0, [value]
    while waiting and total <= allowed:
        match waiting.pop():
            case str() as text:
                total += len(text)
            case dict() as mapping:
                total += len(mapping)
                waiting.extend(mapping.values())
            case list() | tuple() as items:
                total += len(items)
                waiting.extend(items)
            case _:
                total += 1
    return total


def _charged(value: _T) -> _T:
    if isinstance(value, str | list | tuple | dict):
        _METER.get().charge(_size(value))
    return value


def _refuse_above(limit: int, amount: float, what: str) -> None:
    if amount > limit:
        raise SecurityError(f"{what} is over {limit:,}")


def _metered_filter(function: Callable[..., Any], *, widths: bool) -> Callable[..., Any]:
    @wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        _METER.get().tick()
        for argument in [*arguments[1:], *named.values()] if widths else ():
            if isinstance(argument, int | float):
                _refuse_above(MAX_WIDTH, abs(argument), "a width")
        return _charged(function(*arguments, **named))

    return run


def _joined(items: Iterable[Any]) -> str:
    meter, texts = _METER.get(), []
    for item in items:
        meter.charge(_size(item))
        texts.append(str(item))
    return "".join(texts)


@pass_context
def _join(context: Context, value: Iterable[Any], separator: object = "", attribute: str | int | None = None) -> str:
    def spaced() -> Iterator[Any]:
        for number, item in enumerate(value):
            _METER.get().tick()
            if number and separator != "":
                yield separator
            yield item if attribute is None else context.environment.getitem(item, attribute)

    return _joined(spaced())


def _replace(text: object, old: object, new: object, count: int = -1) -> str:
    source, needle, substitute = str(text), str(old), str(new)
    _refuse_above(MAX_SIZE, len(source) + source.count(needle) * len(substitute), "the size of a replacement")
    return source.replace(needle, substitute, -1 if count is None else count)


def _indent(text: object, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    source, margin = str(text), width
    if isinstance(margin, int):
        _refuse_above(MAX_WIDTH, margin, "a width")
        margin = " " * margin
    _refuse_above(MAX_SIZE, len(source) + len(source.splitlines()) * len(margin), "the size of an indented text")
    lines = source.splitlines()
    return "\n".join(
        margin + line if (number or first) and (line or blank) else line for number, line in enumerate(lines)
    )


def _format(text: object, *arguments: object, **named: object) -> str:
    return _percent(str(text), named or arguments)


def _percent(text: str, values: object) -> str:
    if _WIDE_FORMAT.search(text):
        raise SecurityError("a format's width is given by a star or has more than three digits")
    _refuse_above(MAX_SIZE, text.count("%") * _size(values), "the size of a formatted text")
    return text % values


def _to_json(value: object, indent: int | None = None) -> str:
    _refuse_above(16, indent or 0, "a width")
    return json.dumps(_plain(value), ensure_ascii=False, indent=indent)


def _times(left: Any, right: Any) -> Any:
    for one, other in ((left, right), (right, left)):
        if isinstance(one, str | list | tuple) and isinstance(other, int):
            _refuse_above(MAX_SIZE, _size(one) * other, "the size of a product")
    if isinstance(left, int) and isinstance(right, int):
        _refuse_above(MAX_BITS, left.bit_length() + right.bit_length(), "the number of bits of a product")
    return left * right


def _power(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int):
        _refuse_above(MAX_BITS, max(left.bit_length(), 1) * abs(right), "the number of bits of a power")
    return left**right


def _modulo(left: Any, right: Any) -> Any:
    return _percent(left, right) if isinstance(left, str) else left % right


@pass_context
def _finalize(context: Context, value: object) -> object:
    """Called for every output, also inside `set` and `filter` blocks. Taking the context, it is never folded away."""
    if not isinstance(value, Undefined):
        _METER.get().charge(_size(value))
    return value


class _Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"+", "*", "**", "%"})
    text_methods = frozenset(_TEXT_METHODS.split())

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, finalize=_finalize, keep_trailing_newline=True, optimized=False)
        self.globals = {"range": safe_range, "dict": dict, "namespace": self.globals["namespace"]}
        self.binop_table |= {"*": _times, "**": _power, "%": _modulo}
        own = {"join": _join, "replace": _replace, "indent": _indent, "format": _format, "tojson": _to_json}
        self.filters = {
            name: _metered_filter(function, widths=name in _WIDTH_FILTERS)
            for name, function in {**FILTERS, **own}.items()
            if name not in _DROPPED_FILTERS
        }

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        match obj:
            case str():
                return attr in self.text_methods
            case dict():
                return attr in _MAPPING_METHODS
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
                    return lambda items: _joined(part for item in items for part in (obj, item)).removeprefix(obj)
                case "replace":
                    return lambda old, new, count=-1: _replace(obj, old, new, count)
                case "format" | "format_map":
                    raise SecurityError(f"`.{attribute}()` is refused: use `~`, or the filter `format`")
        return super().getattr(obj, attribute)

    def wrap_str_format(self, value: Any) -> None:
        """No `str.format` in any guise."""
        return

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        _METER.get().tick()
        return _charged(super().call(__context, __obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        _METER.get().tick()
        return _charged(super().call_binop(context, operator, left, right))

    # what the rewritten tree calls

    def rounds(self, items: Iterable[_T], weight: int) -> Iterator[_T]:
        """The rounds of a loop, each ticked and charged for the text it repeats."""
        meter = _METER.get()
        for item in items:
            meter.tick()
            meter.charge(weight)
            yield item

    def concatenated(self, *parts: object) -> str:
        return _joined(parts)

    def built(self, value: _T) -> _T:
        """A list, tuple or mapping written in the template; `call` charges it."""
        return value


class _Metering(NodeTransformer):
    """Puts the meters into a parsed template."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        weight = sum(len(data.data) for part in node.body for data in _texts(part))
        self.generic_visit(node)
        node.iter = _call("rounds", [node.iter, nodes.Const(weight)], node.lineno)  # type: ignore[list-item]
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _call("concatenated", node.nodes, node.lineno)

    def visit_List(self, node: nodes.List) -> nodes.Node:
        return self._literal(node)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        return self._literal(node)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        return self._literal(node) if node.ctx == "load" else node

    def _literal(self, node: nodes.Literal) -> nodes.Node:
        self.generic_visit(node)
        return _call("built", [node], node.lineno)


def _texts(node: nodes.Node) -> Iterator[nodes.TemplateData]:
    if isinstance(node, nodes.TemplateData):
        yield node
    yield from node.find_all(nodes.TemplateData)


def _call(name: str, arguments: list[nodes.Expr], line: int) -> nodes.Call:
    return nodes.Call(nodes.EnvironmentAttribute(name), arguments, [], None, None, lineno=line)


@lru_cache(maxsize=1)
def _sandbox() -> _Sandbox:
    return _Sandbox()


class Program:
    """A parsed template. Python code is made of it on the first run."""

    def __init__(self, tree: nodes.Template, *, typed: bool) -> None:
        self._typed = typed
        self._tree = tree
        every = list(tree.find_all(nodes.Node))
        _refuse_what_has_no_meter(every)
        self.names = frozenset(_free_names(tree, every)) - _sandbox().globals.keys()
        self.references = frozenset(_step_references(every)) if "steps" in self.names else frozenset()

    @cached_property
    def _template(self) -> Template:
        sandbox = _sandbox()
        metered = _Metering().visit(self._tree).set_environment(sandbox)
        return Template.from_code(sandbox, sandbox.compile(metered), dict(sandbox.globals))

    def run(self, variables: Mapping[str, JsonValue]) -> JsonValue:
        """The rendered text, or the value of the one expression. Raises TemplateProblem."""
        token = _METER.set(_Meter())
        try:
            context = self._template.new_context(dict(variables))
            chunks = list(self._template.root_render_func(context))
            return _plain(context.vars[_RESULT]) if self._typed else "".join(chunks)
        except TemplateProblem:
            raise
        except (*_RENDER_ERRORS, *_COMPILE_ERRORS) as error:
            raise TemplateProblem(_words(error)) from None
        finally:
            _METER.reset(token)


def compile_program(text: str) -> Program:
    """Parse a text with markers in it. Raises TemplateProblem."""
    return _compiled(lambda: _program(text))


def compile_expression_program(text: str) -> Program:
    """Parse an expression, braces optional. Raises TemplateProblem."""

    def parse() -> Program:
        stripped = text.strip()
        if not stripped:
            raise TemplateProblem("the expression is empty")
        if not stripped.startswith("{{"):
            parser = Parser(_sandbox(), stripped, state="variable")
            expression = parser.parse_expression()
            if not parser.stream.eos:
                raise TemplateSyntaxError("chunk after expression", parser.stream.current.lineno)
            return _typed_program(expression)
        match _sandbox().parse(stripped).body:
            case [nodes.Output(nodes=[nodes.Expr() as only])] if not isinstance(only, nodes.TemplateData):
                return _typed_program(only)
        raise TemplateProblem("not one expression: there is text around the braces, or a second pair of them")

    return _compiled(parse)


def _compiled(parse: Callable[[], Program]) -> Program:
    try:
        return parse()
    except TemplateSyntaxError as error:
        where = f" (line {error.lineno} of the text)" if error.lineno > 1 else ""
        raise TemplateProblem(f"{error.message}{where}") from None
    except _COMPILE_ERRORS as error:
        raise TemplateProblem(_words(error)) from None


def _program(text: str) -> Program:
    tree = _sandbox().parse(text)
    match tree.body:
        case [nodes.Output(nodes=[only, *rest])] if not isinstance(only, nodes.TemplateData):
            if all(isinstance(data, nodes.TemplateData) and not data.data.strip("\n") for data in rest):
                return _typed_program(only)
    return Program(tree, typed=False)


def _typed_program(expression: nodes.Expr) -> Program:
    assignment = nodes.Assign(nodes.Name(_RESULT, "store"), expression, lineno=1)
    tree = nodes.Template([assignment], lineno=1)
    tree.set_environment(_sandbox())
    return Program(tree, typed=True)


def _refuse_what_has_no_meter(every: list[nodes.Node]) -> None:
    for node in every:
        if word := _REFUSED_NODES.get(type(node)):
            raise TemplateSyntaxError(f"`{{% {word} %}}` is refused here", node.lineno)
        if isinstance(node, nodes.For) and node.recursive:
            raise TemplateSyntaxError("a recursive loop is refused here", node.lineno)


def _free_names(tree: nodes.Template, every: list[nodes.Node]) -> set[str]:
    """The names that a template reads and does not set. Raises TemplateSyntaxError for unknown filters and tests.

    Where nothing is set, all names are free: asking Jinja, which takes a pass of code generation, costs ten times that.
    """
    bound = {node.name for node in every if isinstance(node, nodes.Name) and node.ctx != "load"}
    if bound - {_RESULT} or any(isinstance(node, nodes.For | nodes.AssignBlock | nodes.With) for node in every):
        return meta.find_undeclared_variables(tree)
    known = {nodes.Filter: _sandbox().filters, nodes.Test: _sandbox().tests}
    for node in every:
        if isinstance(node, nodes.Filter | nodes.Test) and node.name not in known[type(node)]:
            raise TemplateSyntaxError(f"No {type(node).__name__.lower()} named {node.name!r}.", node.lineno)
    return {node.name for node in every if isinstance(node, nodes.Name) and node.ctx == "load"}


def _step_references(every: list[nodes.Node]) -> Iterator[str]:
    """`steps.x`, `steps['x']` and `steps.get('x')`; the methods of a mapping are no steps."""
    methods = set()
    for call in every:
        if not isinstance(call, nodes.Call):
            continue
        match call.node:
            case nodes.Getattr(node=nodes.Name(name="steps"), attr=method) if method in _MAPPING_METHODS:
                methods.add(id(call.node))
                match call.args:
                    case [nodes.Const(value=str() as name), *_] if method == "get":
                        yield name
    for access in every:
        match access:
            case nodes.Getattr(node=nodes.Name(name="steps"), attr=attribute) if id(access) not in methods:
                yield attribute
            case nodes.Getitem(node=nodes.Name(name="steps"), arg=nodes.Const(value=str() as key)):
                yield key


def _plain(value: object, depth: int = 0) -> JsonValue:
    """JSON data of what a template gave; generators and tuples become lists. Raises TemplateProblem."""
    if depth > MAX_DEPTH:
        raise TemplateProblem(f"the value is nested more than {MAX_DEPTH} deep")
    match value:
        case None | bool() | int():
            return value
        case float():
            if not math.isfinite(value):
                raise TemplateProblem(f"the value {value} is no JSON number")
            return value
        case str():
            return value if type(value) is str else str.__str__(value)
        case dict():
            return {_key(key): _plain(item, depth + 1) for key, item in value.items()}
        case list() | tuple() | range() | Iterator():
            return [_plain(item, depth + 1) for item in value]
        case Undefined():
            str(value)  # says what is undefined
    if hasattr(type(value), "__iter__"):
        return [_plain(item, depth + 1) for item in iter(value)]  # type: ignore[call-overload]
    raise TemplateProblem(f"the value is no plain data but a {type(value).__name__}")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TemplateProblem(f"the key {key!r} of a mapping is no text")
    return str(key)


def _words(error: BaseException) -> str:
    match error:
        case RecursionError():
            return "the template is nested too deeply"
        case MemoryError():
            return "the template is too large"
        case KeyError():
            return f"there is no {error}"
    return str(error) or type(error).__name__
