"""The graph in Mermaid, which GitHub and many editors draw."""

from __future__ import annotations

from runner.cli.render.graph.picture import Node, Picture
from runner.cli.render.style import visible

_NOW = {True: "stroke-width:4px", False: "stroke-width:1px,opacity:0.45"}
"""How an arrow of a running network looks, by whether requests go that way now."""


def mermaid(picture: Picture) -> str:
    """A flowchart: solid arrows are static uses, dotted ones discovered; of a running network those are bold that
    requests take now, and those pale that they do not."""
    ids = {node.name: f"n{number}" for number, node in enumerate(picture.nodes)}
    lines = ["flowchart LR", *(f'  {ids[node.name]}["{_box(node)}"]' for node in picture.nodes)]
    for number, line in enumerate(picture.arrows):
        arrow = "-.->" if line.discovered else "-->"
        target = ids.get(line.target or "")
        if target is None:
            target = f"none{number}"
            lines.append(f'  {target}(["nobody offers {_escaped(line.capability)}"])')
        lines.append(f'  {ids[line.source]} {arrow}|"{_escaped(line.label)}"| {target}')
    lines += [f"  linkStyle {n} {_NOW[line.now]}" for n, line in enumerate(picture.arrows) if line.now is not None]
    return "\n".join(lines)


def _box(node: Node) -> str:
    return "<br>".join([f"<b>{_escaped(node.name)}</b>", *(_escaped(offer.words) for offer in node.offers)])


def _escaped(text: str) -> str:
    """Mermaid's own entity codes, for what would end a label or be read as markup."""
    return "".join(f"#{ord(c)};" if c in '"#<>&;`\\|' else c for c in visible(text))
