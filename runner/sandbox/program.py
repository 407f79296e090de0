"""A template, parsed and ready to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

from jinja2 import Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.parser import Parser
from pydantic import JsonValue

from runner.sandbox.environment import sandbox
from runner.sandbox.meter import METER, Meter
from runner.sandbox.plain import plain
from runner.sandbox.tree import RESULT, Metering, free_names, refuse_what_has_no_meter, step_references
from runner.templates import TemplateProblem

_RENDER_ERRORS = (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RecursionError)
_COMPILE_ERRORS = (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError)


class Program:
    """A parsed template. Python code is made of it on the first run."""

    def __init__(self, tree: nodes.Template, *, typed: bool) -> None:
        self._typed = typed
        self._tree = tree
        every = list(tree.find_all(nodes.Node))
        refuse_what_has_no_meter(every)
        self.names = frozenset(free_names(tree, every)) - sandbox().globals.keys()
        self.references = frozenset(step_references(every)) if "steps" in self.names else frozenset()

    @cached_property
    def _template(self) -> Template:
        environment = sandbox()
        metered = Metering().visit(self._tree).set_environment(environment)
        return Template.from_code(environment, environment.compile(metered), dict(environment.globals))

    def run(self, variables: Mapping[str, JsonValue]) -> JsonValue:
        """The rendered text, or the value of the one expression. Raises TemplateProblem."""
        token = METER.set(Meter())
        try:
            context = self._template.new_context(dict(variables))
            chunks = list(self._template.root_render_func(context))
            return plain(context.vars[RESULT]) if self._typed else "".join(chunks)
        except TemplateProblem:
            raise
        except (*_RENDER_ERRORS, *_COMPILE_ERRORS) as error:
            raise TemplateProblem(_words(error)) from None
        finally:
            METER.reset(token)


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
            parser = Parser(sandbox(), stripped, state="variable")
            expression = parser.parse_expression()
            if not parser.stream.eos:
                raise TemplateSyntaxError("chunk after expression", parser.stream.current.lineno)
            return _typed_program(expression)
        match sandbox().parse(stripped).body:
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
    tree = sandbox().parse(text)
    match tree.body:
        case [nodes.Output(nodes=[only, *rest])] if not isinstance(only, nodes.TemplateData):
            if all(isinstance(data, nodes.TemplateData) and not data.data.strip("\n") for data in rest):
                return _typed_program(only)
    return Program(tree, typed=False)


def _typed_program(expression: nodes.Expr) -> Program:
    assignment = nodes.Assign(nodes.Name(RESULT, "store"), expression, lineno=1)
    tree = nodes.Template([assignment], lineno=1)
    tree.set_environment(sandbox())
    return Program(tree, typed=True)


def _words(error: BaseException) -> str:
    match error:
        case RecursionError():
            return "the template is nested too deeply"
        case MemoryError():
            return "the template is too large"
        case KeyError():
            return f"there is no {error}"
    return str(error) or type(error).__name__
