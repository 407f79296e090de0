"""The graph in Graphviz's DOT."""

from __future__ import annotations

from runner.cli.render.graph.picture import Node, Picture
from runner.cli.render.style import visible

_NOW = {None: "", True: ", penwidth=2.5", False: ', color="gray65", fontcolor="gray45"'}
"""How an edge of a running network looks, by whether requests go that way now."""


def dot(picture: Picture) -> str:
    """A digraph: solid edges are static uses, dashed ones discovered; of a running network those are bold that
    requests take now, and those grey that they do not."""
    lines = [
        f"digraph {_quoted(picture.network)} {{",
        "  rankdir=LR;",
        '  node [shape=box, style=rounded, fontname="Helvetica"];',
        '  edge [fontname="Helvetica", fontsize=10];',
        *(f"  {_quoted(node.name)} [label={_label(node)}];" for node in picture.nodes),
    ]
    for number, line in enumerate(picture.arrows):
        target = line.target
        if target is None:
            target = f"?{number}"
            lines.append(f"  {_quoted(target)} [label={_quoted(f'nobody offers {line.capability}')}, style=dotted];")
        style = (", style=dashed" if line.discovered else "") + _NOW[line.now]
        lines.append(f"  {_quoted(line.source)} -> {_quoted(target)} [label={_quoted(line.label)}{style}];")
    return "\n".join([*lines, "}"])


def _label(node: Node) -> str:
    return '"' + "\\n".join(_escaped(part) for part in [node.name, *(offer.words for offer in node.offers)]) + '"'


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return visible(text).replace("\\", "\\\\").replace('"', '\\"')
