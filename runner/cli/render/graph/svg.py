"""The graph as a picture: boxes for ensembles, solid lines for static uses, dashed ones for discovered."""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from runner.cli.render.graph.layout import Layered, layered
from runner.cli.render.graph.picture import Line, Node, Picture
from runner.cli.render.graph.placement import MARGIN, PORT_GAP, Placed, Size, Spot, placed, shelved
from runner.cli.render.style import cells, clipped, visible

_CHARACTER = 7.4  # the mean width of a character of the 13 px body text, on the generous side
_TITLE_CHARACTER = 9.2
_LABEL_CHARACTER = 6.6
_ROW = 20.0
_HEADER = 34.0
_PADDING = 14.0
_TOP = 62.0
_CURVE = 70.0
_WIDEST_SHELF = 1200.0
_MOST_COLUMNS = 6
"""Of ensembles that call each other in rings. With more, a line would pass by most of them on its way."""
_STYLE = """
  .ground { fill: #fff }
  text { font-family: system-ui, "Segoe UI", Helvetica, Arial, sans-serif; font-size: 13px; fill: #1e293b }
  .network { font-size: 18px; font-weight: 600 }  .name { font-size: 15px; font-weight: 600 }
  .about, .kind { fill: #64748b }  .tags { fill: #0f766e }
  .box { fill: #f8fafc; stroke: #475569; stroke-width: 1.2 }
  .none { fill: #fff; stroke: #b91c1c; stroke-dasharray: 2 3 }
  .line { fill: none; stroke: #1d4ed8; stroke-width: 1.5 }  .discovered { stroke: #b45309; stroke-dasharray: 6 4 }
  .label { font-size: 11.5px; fill: #1d4ed8; paint-order: stroke; stroke: #fff; stroke-width: 4px }
  .found { fill: #92400e }  .now { stroke-width: 2.6 }  .idle { opacity: .4 }
  .static-end { fill: #1d4ed8 }  .dashed-end { fill: #b45309 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0f172a }  text { fill: #e2e8f0 }  .about, .kind { fill: #94a3b8 }  .tags { fill: #5eead4 }
    .box { fill: #1e293b; stroke: #64748b }  .none { fill: #0f172a; stroke: #f87171 }
    .line { stroke: #60a5fa }  .discovered { stroke: #fbbf24 }
    .label { fill: #93c5fd; stroke: #0f172a }  .found { fill: #fcd34d }
    .static-end { fill: #60a5fa }  .dashed-end { fill: #fbbf24 }
  }
"""
_ARROWS = "".join(
    f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
    f'orient="auto-start-reverse"><path class="{name}-end" d="M0 0L10 5L0 10z"/></marker>'
    for name in ("static", "dashed")
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of text in a box: spans of (class, text)."""

    spans: tuple[tuple[str, str], ...]

    @property
    def width(self) -> float:
        return sum(cells(text) for _, text in self.spans) * _CHARACTER


@dataclass(frozen=True, slots=True)
class Box:
    """One box, ready to draw. `known` is False for the stand-in of a provider that is not there."""

    name: str
    rows: tuple[Row, ...]
    known: bool = True

    def size(self, ports: int) -> Size:
        """Wide enough for its text, high enough for the lines that touch its busier side."""
        width = max([cells(self.name) * _TITLE_CHARACTER, *(row.width for row in self.rows)]) + 2 * _PADDING
        height = _HEADER + _ROW * len(self.rows) + (_PADDING / 2 if self.rows else 0.0)
        return Size(max(width, 120.0), max(height, PORT_GAP * ports + _PADDING))


def svg(picture: Picture) -> str:
    """A whole SVG document that stands alone."""
    lines = [line for line in picture.arrows if line.target != line.source]
    boxes, edges, alone = _boxes(picture, lines)
    layout = layered(len(boxes), edges)
    facing = len(layout.ranks) > _MOST_COLUMNS and any(against for _, against in layout.chains)
    if facing:
        boxes, edges = _facing(picture, lines)
        layout = layered(len(boxes), edges)
    groups = _groups(lines)
    placement = _place(boxes, lines, layout, groups, _CURVE + (min(3.0 * len(lines), 400.0) if facing else 0.0))
    labelled = _first_of_each(groups, layout)
    sizes = [box.size(0) for box in alone]
    shelf, below = shelved(sizes, placement.height if boxes else _TOP, max(placement.width, _WIDEST_SHELF))
    legend_y = (below + MARGIN if alone else placement.height) + 4
    farthest = max((spot.right + MARGIN for spot in shelf), default=0.0)
    width = max(placement.width, farthest, len(picture.network) * 11 + 60, 420.0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{legend_y + 22:.0f}" '
        f'viewBox="0 0 {width:.0f} {legend_y + 22:.0f}" role="img" aria-label={_attribute(picture.network)}>',
        f"<style>{_STYLE}</style>",
        f"<defs>{_ARROWS}</defs>",
        '<rect class="ground" width="100%" height="100%"/>',
        f'<text class="network" x="28" y="36">{_text(picture.network)}</text>',
        *(_box(box, placement.spots[number]) for number, box in enumerate(boxes)),
        *(_box(box, spot) for box, spot in zip(alone, shelf, strict=True)),
        *(_line(line, number, layout, placement, number in labelled) for number, line in enumerate(lines)),
        _legend(legend_y, live=any(line.now is not None for line in lines), facing=facing),
        "</svg>",
    ]
    return "\n".join(parts)


def _boxes(picture: Picture, lines: list[Line]) -> tuple[list[Box], list[tuple[int, int]], list[Box]]:
    """A box for each ensemble and for each missing provider, the lines as pairs of box numbers, and the boxes that no
    line touches."""
    touched = {name for line in lines for name in (line.source, line.target)}
    every = [Box(node.name, _rows(node, picture.lines)) for node in picture.nodes]
    boxes = [box for box in every if box.name in touched]
    number_of = {box.name: number for number, box in enumerate(boxes)}
    edges = []
    for line in lines:
        target = number_of.get(line.target) if line.target else None
        if target is None:
            target = len(boxes)
            boxes.append(Box(f"nobody offers {line.capability}", (), known=False))
        edges.append((number_of[line.source], target))
    return boxes, edges, [box for box in every if box.name not in touched]


def _facing(picture: Picture, lines: list[Line]) -> tuple[list[Box], list[tuple[int, int]]]:
    """The boxes and edges of a network in which many call each other: who asks stands on the left, and, once more,
    who offers on the right."""
    about = {node.name: _about(node) for node in picture.nodes}
    sources = sorted({line.source for line in lines})
    targets = sorted({line.target for line in lines if line.target is not None})
    missing = sorted({line.capability for line in lines if line.target is None})
    nodes = {node.name: node for node in picture.nodes}
    boxes = [Box(name, about[name]) for name in sources]
    right = {name: len(boxes) + at for at, name in enumerate(targets)}
    boxes += [Box(name, _rows(nodes[name], picture.lines)[len(about[name]) :]) for name in targets]
    nobody = {capability: len(boxes) + at for at, capability in enumerate(missing)}
    boxes += [Box(f"nobody offers {capability}", (), known=False) for capability in missing]
    left = {name: at for at, name in enumerate(sources)}
    edges = [
        (left[line.source], nobody[line.capability] if line.target is None else right[line.target]) for line in lines
    ]
    return boxes, edges


def _groups(lines: list[Line]) -> list[int]:
    """Of each line, which use it is of: those of one use begin at the same place."""
    numbers: dict[tuple[str, str], int] = {}
    return [numbers.setdefault((line.source, line.label), len(numbers)) for line in lines]


def _first_of_each(groups: list[int], layout: Layered) -> frozenset[int]:
    """The lines that carry the label of their group, one on each side of its source."""
    first: dict[tuple[int, bool], int] = {}
    for number, (_, against) in enumerate(layout.chains):
        first.setdefault((groups[number], against), number)
    return frozenset(first.values())


def _about(node: Node) -> tuple[Row, ...]:
    return (Row((("about", clipped(node.description, 52)),)),) if node.description else ()


def _rows(node: Node, lines: tuple[Line, ...]) -> tuple[Row, ...]:
    offers = [
        Row((("", offer.name), ("kind", f"  {offer.kind.lower()}"), ("tags", "  " + ", ".join(offer.tags))))
        for offer in node.offers
    ]
    own = [
        Row((("kind", f"{line.use}: its own {line.capability}"),))
        for line in lines
        if line.source == line.target == node.name
    ]
    return (*_about(node), *offers, *own)


def _place(boxes: list[Box], lines: list[Line], layout: Layered, groups: list[int], curve: float) -> Placed:
    sides: list[tuple[set[int], set[int]]] = [(set(), set()) for _ in boxes]  # ports: of a use, or of a line
    for number, (chain, against) in enumerate(layout.chains):
        source, target = (chain[-1], chain[0]) if against else (chain[0], chain[-1])
        sides[source][not against].add(-1 - groups[number])
        sides[target][against].add(number)
    sizes = [box.size(max(map(len, sides[number]))) for number, box in enumerate(boxes)]
    starts, ends = _label_room(lines, layout)
    gaps = [start + end + curve for start, end in zip(starts, ends, strict=True)]
    return placed(layout, sizes, gaps, _TOP, groups)


def _label_room(lines: list[Line], layout: Layered) -> tuple[list[float], list[float]]:
    """For the gap after each column: the room of the labels at its left side, and at its right."""
    starts, ends = [0.0] * len(layout.ranks), [0.0] * len(layout.ranks)
    column_of = {number: at for at, column in enumerate(layout.ranks) for number in column}
    for line, (chain, against) in zip(lines, layout.chains, strict=True):
        room = cells(line.label) * _LABEL_CHARACTER + 18
        if against:
            at = column_of[chain[-1]] - 1
            ends[at] = max(ends[at], room)
        else:
            at = column_of[chain[0]]
            starts[at] = max(starts[at], room)
    return starts, ends


def _box(box: Box, spot: Spot) -> str:
    kind = "box" if box.known else "box none"
    x = spot.x + _PADDING
    parts = [
        f'<g><rect class="{kind}" x="{spot.x:.1f}" y="{spot.y:.1f}" width="{spot.size.width:.1f}" '
        f'height="{spot.size.height:.1f}" rx="8"/>',
        f'<text class="name" x="{x:.1f}" y="{spot.y + 23:.1f}">{_text(box.name)}</text>',
    ]
    for at, row in enumerate(box.rows):
        spans = "".join(f'<tspan class="{style}">{_text(text)}</tspan>' for style, text in row.spans)
        y = spot.y + _HEADER + _ROW * at + 11
        parts.append(f'<text xml:space="preserve" x="{x:.1f}" y="{y:.1f}">{spans}</text>')
    return "".join(parts) + "</g>"


def _line(line: Line, number: int, layout: Layered, placement: Placed, labelled: bool) -> str:
    """A path through the waypoints of the line, straight under its label, with the label at its source, where it has
    one of its own."""
    chain, against = layout.chains[number]
    room = cells(line.label) * _LABEL_CHARACTER + 12
    path = _path(chain, number, placement, before=0.0 if against else room, after=room if against else 0.0)
    end = chain[-1] if against else chain[0]
    spot = placement.spots[end]
    x, y = (
        (spot.x - 8, placement.entering[number, end]) if against else (spot.right + 8, placement.leaving[number, end])
    )
    style = "line discovered" if line.discovered else "line"
    if line.now is not None:
        style += " now" if line.now else " idle"
    marker = f'marker-{"start" if against else "end"}="url(#{"dashed" if line.discovered else "static"})"'
    anchor = ' text-anchor="end"' if against else ""
    label = (
        f'<text class="label{" found" if line.discovered else ""}" x="{x:.1f}" y="{y - 6:.1f}"{anchor}>'
        f"{_text(line.label)}</text>"
        if labelled
        else ""
    )
    return f'<g><path class="{style}" d="{path}" {marker}/>{label}<title>{_text(_tooltip(line))}</title></g>'


def _path(chain: tuple[int, ...], number: int, placement: Placed, *, before: float, after: float) -> str:
    first, last = chain[0], chain[-1]
    x, y = placement.spots[first].right, placement.leaving[number, first]
    parts = [f"M{x:.1f} {y:.1f}"]
    if before:
        x += before
        parts.append(f"H{x:.1f}")
    for waypoint in chain[1:]:
        spot = placement.spots[waypoint]
        to_x, to_y = spot.x - (after if waypoint == last else 0.0), placement.entering[number, waypoint]
        half = (x + to_x) / 2
        parts.append(f"C{half:.1f} {y:.1f} {half:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}")
        x, y = spot.right if waypoint != last else spot.x, to_y
        parts.append(f"H{x:.1f}")
    return "".join(parts)


def _tooltip(line: Line) -> str:
    kind = "discovered" if line.discovered else "static"
    return f"{line.source} {line.use}: {line.target or 'nobody'}/{line.capability} ({kind}: {line.need})"


def _legend(y: float, *, live: bool, facing: bool) -> str:
    told = "discovered: bold is where it goes now" if live else "discovered, as declared"
    if facing:
        told += "; on the left who asks, on the right who offers"
    return (
        f'<path class="line" d="M28 {y:.0f}h36" marker-end="url(#static)"/>'
        f'<text class="kind" x="72" y="{y + 4:.0f}">static</text>'
        f'<path class="line discovered" d="M136 {y:.0f}h36" marker-end="url(#dashed)"/>'
        f'<text class="kind" x="180" y="{y + 4:.0f}">{told}</text>'
    )


def _text(text: str) -> str:
    """Safe in XML: markup escaped, and the control characters that XML cannot hold made visible."""
    return escape(visible(text))


def _attribute(text: str) -> str:
    return quoteattr(visible(text))
