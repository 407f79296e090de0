"""The graph as text."""

from __future__ import annotations

from runner.cli.render.graph.picture import Line, Node, Picture
from runner.cli.render.style import counted, visible

_NOW = {None: "", True: "; now", False: "; not now"}


def text(picture: Picture) -> str:
    """Each ensemble with what it shares and what it uses. `-->` is static, `-.->` discovered."""
    heading = f"{picture.network}: {counted(len(picture.nodes), 'ensemble')}, {counted(len(picture.lines), 'edge')}"
    return "\n\n".join([heading, *(_block(node, picture) for node in picture.nodes)])


def _block(node: Node, picture: Picture) -> str:
    title = node.name + (f": {visible(node.description)}" if node.description else "")
    lines = [line for line in picture.lines if line.source == node.name]
    width = max((len(line.use) for line in lines), default=0)
    return "\n".join(
        [title, *(f"  shares  {offer.words}" for offer in node.offers), *(_use(line, width) for line in lines)]
    )


def _use(line: Line, width: int) -> str:
    arrow = "-.->" if line.discovered else "--> "
    target = f"{line.target}/{line.capability}" if line.target else "nobody offers it"
    found = (
        "  (fallback)" if line.fallback else f"  (discovered: {line.need}{_NOW[line.now]})" if line.discovered else ""
    )
    return f"  uses    {line.use:<{width}} {arrow} {target}{found}"
