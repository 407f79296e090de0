"""The parsed template: what it refers to, what is refused in it, and the meters put into it."""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import TemplateSyntaxError, meta, nodes
from jinja2.visitor import NodeTransformer

from runner.sandbox.environment import MAPPING_METHODS, sandbox

RESULT = "_result"
"""The variable that holds the value of an expression."""
_REFUSED_NODES: dict[type[nodes.Node], str] = {
    nodes.Macro: "macro",
    nodes.CallBlock: "call",
    nodes.Block: "block",
    nodes.Extends: "extends",
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "from",
}


def refuse_what_has_no_meter(every: list[nodes.Node]) -> None:
    for node in every:
        if word := _REFUSED_NODES.get(type(node)):
            raise TemplateSyntaxError(f"`{{% {word} %}}` is refused here", node.lineno)
        if isinstance(node, nodes.For) and node.recursive:
            raise TemplateSyntaxError("a recursive loop is refused here", node.lineno)


def free_names(tree: nodes.Template, every: list[nodes.Node]) -> set[str]:
    """The names that a template reads and does not set. Raises TemplateSyntaxError for unknown filters and tests.

    Where nothing is set, all names are free: asking Jinja, which takes a pass of code generation, costs ten times that.
    """
    bound = {node.name for node in every if isinstance(node, nodes.Name) and node.ctx != "load"}
    if bound - {RESULT} or any(isinstance(node, nodes.For | nodes.AssignBlock | nodes.With) for node in every):
        return meta.find_undeclared_variables(tree)
    known = {nodes.Filter: sandbox().filters, nodes.Test: sandbox().tests}
    for node in every:
        if isinstance(node, nodes.Filter | nodes.Test) and node.name not in known[type(node)]:
            raise TemplateSyntaxError(f"No {type(node).__name__.lower()} named {node.name!r}.", node.lineno)
    return {node.name for node in every if isinstance(node, nodes.Name) and node.ctx == "load"}


def step_references(every: list[nodes.Node]) -> Iterator[str]:
    """`steps.x`, `steps['x']` and `steps.get('x')`; the methods of a mapping are no steps."""
    methods = set()
    for call in every:
        if not isinstance(call, nodes.Call):
            continue
        match call.node:
            case nodes.Getattr(node=nodes.Name(name="steps"), attr=method) if method in MAPPING_METHODS:
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


class Metering(NodeTransformer):
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
