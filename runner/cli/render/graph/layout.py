"""A layered layout, left to right, after Sugiyama: break cycles, rank, route long edges through ranks, order, place.

Knows boxes and edges by number only. Every output follows from the input alone: the same graph is the same picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Edge = tuple[int, int]
"""From box to box. The two differ."""

_SWEEPS = 8


@dataclass(frozen=True, slots=True)
class Layered:
    """`ranks` holds box numbers from top to bottom; numbers past the last box are waypoints of long edges.

    `chains` has, for each edge as given, the numbers it passes from its leftmost end to its rightmost, and whether
    that is against its direction.
    """

    ranks: tuple[tuple[int, ...], ...]
    chains: tuple[tuple[tuple[int, ...], bool], ...]


def layered(boxes: int, edges: Sequence[Edge]) -> Layered:
    backward = _backward(boxes, edges)
    forward = [(b, a) if (a, b) in backward else (a, b) for a, b in edges]
    rank = _ranks(boxes, forward)
    chains, waypoints = _chains(boxes, forward, rank)
    members: list[list[int]] = [[] for _ in range(max(rank, default=-1) + 1)]
    for box in range(boxes):
        members[rank[box]].append(box)
    for waypoint, at in waypoints.items():
        members[at].append(waypoint)
    _reduce_crossings(members, chains)
    return Layered(
        tuple(tuple(column) for column in members),
        tuple((chain, edge in backward) for chain, edge in zip(chains, edges, strict=True)),
    )


def _backward(boxes: int, edges: Sequence[Edge]) -> frozenset[Edge]:
    """The edges that close a cycle, found by depth-first search in number order; without recursion."""
    following: list[list[int]] = [[] for _ in range(boxes)]
    for source, target in sorted(set(edges)):
        following[source].append(target)
    state = [0] * boxes  # 0 unseen, 1 on the way, 2 done
    found = set()
    for root in range(boxes):
        way = [(root, iter(following[root]))] if state[root] == 0 else []
        state[root] = state[root] or 1
        while way:
            box, rest = way[-1]
            beyond = next(rest, None)
            if beyond is None:
                state[box] = 2
                way.pop()
            elif state[beyond] == 1:
                found.add((box, beyond))
            elif state[beyond] == 0:
                state[beyond] = 1
                way.append((beyond, iter(following[beyond])))
    return frozenset(found)


def _ranks(boxes: int, edges: Sequence[Edge]) -> list[int]:
    """The longest way from any source to each box; whatever nothing leads to stands close to what it leads to."""
    rank, indegree = [0] * boxes, [0] * boxes
    following: list[set[int]] = [set() for _ in range(boxes)]
    for source, target in set(edges):
        following[source].add(target)
        indegree[target] += 1
    ready = [box for box in range(boxes) if not indegree[box]]
    for box in ready:  # grows as it goes: a topological order
        for target in sorted(following[box]):
            rank[target] = max(rank[target], rank[box] + 1)
            indegree[target] -= 1
            if not indegree[target]:
                ready.append(target)
    led_to = {target for _, target in edges}
    for box in range(boxes):
        if following[box] and box not in led_to:
            rank[box] = min(rank[target] for target in following[box]) - 1
    return rank


def _chains(boxes: int, edges: Sequence[Edge], rank: Sequence[int]) -> tuple[list[tuple[int, ...]], dict[int, int]]:
    """Each edge as the numbers it passes, one a rank, and the rank of every waypoint made for that."""
    waypoints: dict[int, int] = {}
    ways: dict[Edge, tuple[int, ...]] = {}
    for source, target in edges:
        if (source, target) not in ways:
            between = range(rank[source] + 1, rank[target])
            made = {boxes + len(waypoints) + number: at for number, at in enumerate(between)}
            waypoints.update(made)
            ways[source, target] = (source, *made, target)
    return [ways[edge] for edge in edges], waypoints


def _reduce_crossings(members: list[list[int]], chains: Sequence[tuple[int, ...]]) -> None:
    """Sort each rank by the mean place of its neighbours in the rank before, then after, and again."""
    before: dict[int, set[int]] = {}
    after: dict[int, set[int]] = {}
    for chain in chains:
        for left, right in pairwise(chain):
            after.setdefault(left, set()).add(right)
            before.setdefault(right, set()).add(left)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        neighbours = before if forward else after
        for at in range(1, len(members)) if forward else range(len(members) - 2, -1, -1):
            members[at] = _by_mean_place(members[at], members[at - 1 if forward else at + 1], neighbours)


def _by_mean_place(column: list[int], beside: list[int], neighbours: dict[int, set[int]]) -> list[int]:
    """The column in order of where each one's neighbours stand; one without any keeps its place."""
    place = {number: at for at, number in enumerate(beside)}

    def key(item: tuple[int, int]) -> tuple[float, int]:
        at, number = item
        near = neighbours.get(number)
        return (sum(place[n] for n in near) / len(near) if near else at, at)

    return [number for _, number in sorted(enumerate(column), key=key)]
