"""From a layered order to coordinates: where boxes stand and where lines touch them. Pixels, y downwards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from runner.cli.render.graph.layout import Layered

PORT_GAP = 22.0
BOX_GAP = 30.0
MARGIN = 28.0
_SWEEPS = 12


@dataclass(frozen=True, slots=True)
class Size:
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Spot:
    """The top left corner of a box or waypoint, and its size."""

    x: float
    y: float
    size: Size

    @property
    def right(self) -> float:
        return self.x + self.size.width

    @property
    def middle(self) -> float:
        return self.y + self.size.height / 2


@dataclass(frozen=True, slots=True)
class Placed:
    """`spots` by box or waypoint number; `ports` is the y of each line (by its index) at each number it passes:
    on entering from the left, and on leaving to the right."""

    spots: Mapping[int, Spot]
    entering: Mapping[tuple[int, int], float]
    leaving: Mapping[tuple[int, int], float]
    width: float
    height: float


def placed(
    layout: Layered, sizes: Sequence[Size], gaps: Sequence[float], top: float, groups: Sequence[int] = ()
) -> Placed:
    """Stand everything in columns, `gaps[i]` apart after column i, from `top` down.

    Lines of one of `groups`, one a line, begin at the same place where they leave their source on the same side.
    """
    passing = _passing(layout)
    size_of = {
        number: sizes[number] if number < len(sizes) else Size(0.0, PORT_GAP * len(passing[number]))
        for column in layout.ranks
        for number in column
    }
    tops = _settled(layout, size_of)
    rise = top - min(tops.values(), default=0.0)
    spots, x = {}, MARGIN
    for at, column in enumerate(layout.ranks):
        width = max(size_of[number].width for number in column)
        for number in column:
            spots[number] = Spot(x, tops[number] + rise, Size(width, size_of[number].height))
        x += width + (gaps[at] if at < len(layout.ranks) - 1 else 0.0)
    bottom = max((spot.y + spot.size.height for spot in spots.values()), default=top)
    entering = _ports(layout, spots, groups, leftwards=True)
    leaving = _ports(layout, spots, groups, leftwards=False)
    for key in [key for key in entering if key[1] >= len(sizes)]:
        leaving[key] = entering[key]  # through a waypoint a line runs straight
    return Placed(spots, entering, leaving, x + MARGIN, bottom + MARGIN)


def shelved(sizes: Sequence[Size], top: float, width: float) -> tuple[list[Spot], float]:
    """Boxes that no line touches: side by side in rows of at most that width, from `top` down; and where they end."""
    spots: list[Spot] = []
    x, y, height = MARGIN, top, 0.0
    for size in sizes:
        if spots and x + size.width + MARGIN > width:
            x, y, height = MARGIN, y + height + BOX_GAP, 0.0
        spots.append(Spot(x, y, size))
        x, height = x + size.width + BOX_GAP, max(height, size.height)
    return spots, y + height


def _passing(layout: Layered) -> dict[int, list[int]]:
    """Which lines pass each number."""
    passing: dict[int, list[int]] = defaultdict(list)
    for line, (chain, _) in enumerate(layout.chains):
        for number in chain:
            passing[number].append(line)
    return passing


def _settled(layout: Layered, size_of: Mapping[int, Size]) -> dict[int, float]:
    """The top of each number: in order, apart, and as near to its neighbours' middles as a few sweeps bring it."""
    near: dict[int, set[int]] = defaultdict(set)
    for chain, _ in layout.chains:
        for left, right in pairwise(chain):
            near[left].add(right)
            near[right].add(left)
    tops: dict[int, float] = {}
    for column in layout.ranks:
        _stack(column, dict.fromkeys(column, 0.0), size_of, tops)
    for sweep in range(_SWEEPS):
        for column in layout.ranks if sweep % 2 == 0 else reversed(layout.ranks):
            wished = {number: _wish(number, near[number], size_of, tops) for number in column}
            _stack(column, wished, size_of, tops)
    return tops


def _wish(number: int, near: set[int], size_of: Mapping[int, Size], tops: Mapping[int, float]) -> float:
    if not near:
        return tops[number]
    middles = [tops[other] + size_of[other].height / 2 for other in near]
    return sum(middles) / len(middles) - size_of[number].height / 2


def _stack(
    column: Sequence[int], wished: Mapping[int, float], size_of: Mapping[int, Size], tops: dict[int, float]
) -> None:
    """Put a column's members as near to their wishes as their order and the gaps between them allow: least squares, by
    pooling adjacent violators. Only those who are in each other's way give way, so that nobody else is moved."""
    pools: list[tuple[float, int]] = []  # the mean wish, less what stands above, of so many
    above = 0.0
    offsets = []
    for number in column:
        mean, count = wished[number] - above, 1
        while pools and pools[-1][0] >= mean:
            other, others = pools.pop()
            mean, count = (mean * count + other * others) / (count + others), count + others
        pools.append((mean, count))
        offsets.append(above)
        above += size_of[number].height + BOX_GAP
    placed_at = [mean for mean, count in pools for _ in range(count)]
    for number, mean, offset in zip(column, placed_at, offsets, strict=True):
        tops[number] = mean + offset


def _ports(
    layout: Layered, spots: Mapping[int, Spot], groups: Sequence[int], *, leftwards: bool
) -> dict[tuple[int, int], float]:
    """The y of each (line, number) on one side, in the order of where the lines go on that side."""
    touching: dict[int, dict[tuple[str, int], list[tuple[float, int]]]] = defaultdict(lambda: defaultdict(list))
    for line, (chain, against) in enumerate(layout.chains):
        source = chain[-1] if against else chain[0]
        for left, right in pairwise(chain):
            number, other = (right, left) if leftwards else (left, right)
            together = ("group", groups[line]) if groups and number == source else ("line", line)
            touching[number][together].append((spots[other].middle, line))
    ports = {}
    for number, bundles in touching.items():
        first = spots[number].middle - PORT_GAP * (len(bundles) - 1) / 2
        for at, (_, lines) in enumerate(sorted((_mean(bundle), bundle) for bundle in bundles.values())):
            ports.update({(line, number): first + PORT_GAP * at for _, line in lines})
    return ports


def _mean(bundle: Sequence[tuple[float, int]]) -> float:
    return sum(middle for middle, _ in bundle) / len(bundle)
