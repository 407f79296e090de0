"""What a graph shows: ensembles with what they share, and the lines between them. Drawn by the modules beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from runner.model import Discovery, Network
from runner.plan.changes import Mask
from runner.routing.wiring import Edge, wiring
from runner.why import WhyReport
from runner.work import CapabilityType


@dataclass(frozen=True, slots=True)
class Offer:
    """One shared capability."""

    name: str
    kind: CapabilityType
    tags: tuple[str, ...]

    @property
    def words(self) -> str:
        """`prepare-meal (task: food, stock)`."""
        return f"{self.name} ({self.kind.lower()}{': ' if self.tags else ''}{', '.join(self.tags)})"


@dataclass(frozen=True, slots=True)
class Node:
    name: str
    description: str | None
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One use and one capability that it may resolve to. `target` is None where nobody provides it."""

    source: str
    use: str
    target: str | None
    capability: str
    discovered: bool
    need: str
    tags: tuple[str, ...]
    fallback: bool = False
    now: bool | None = None
    """Of a running network: whether a request made now goes this way; None where that is not known or depends on it."""

    @property
    def label(self) -> str:
        """`order-parts`, `find-repair [repair]` for one that looks for tags, `order-parts (fallback)`."""
        if self.fallback:
            return f"{self.use} (fallback)"
        return f"{self.use} [{', '.join(self.tags)}]" if self.tags else self.use


@dataclass(frozen=True, slots=True)
class Picture:
    """Nodes by name, lines by source, use and target."""

    network: str
    nodes: tuple[Node, ...]
    lines: tuple[Line, ...]

    @property
    def arrows(self) -> tuple[Line, ...]:
        """The lines as drawn: a use that may go to two capabilities of one provider is one arrow, and so is one whose
        fallback it may find as well."""
        found = {(line.source, line.use, line.target) for line in self.lines if not line.fallback}
        drawn = (line for line in self.lines if not line.fallback or (line.source, line.use, line.target) not in found)
        return tuple({(line.source, line.label, line.target): line for line in drawn}.values())


def without_secrets(drawn: Picture, secrets: frozenset[str]) -> Picture:
    """The picture without the texts that references brought in, hidden as a plan hides them."""
    mask = Mask(secrets)
    return replace(
        drawn,
        nodes=tuple(
            replace(n, description=n.description and mask.text(n.description), offers=_masked(n.offers, mask))
            for n in drawn.nodes
        ),
        lines=tuple(
            replace(line, need=mask.text(line.need), tags=tuple(map(mask.text, line.tags))) for line in drawn.lines
        ),
    )


def _masked(offers: tuple[Offer, ...], mask: Mask) -> tuple[Offer, ...]:
    return tuple(replace(offer, tags=tuple(map(mask.text, offer.tags))) for offer in offers)


def as_it_runs(drawn: Picture, reports: Iterable[WhyReport]) -> Picture:
    """The picture with what the discovered uses come to now, as the running network tells."""
    told = {(report.ensemble, report.use): report for report in reports}
    return replace(drawn, lines=tuple(_now(line, told.get((line.source, line.use))) for line in drawn.lines))


def _now(line: Line, report: WhyReport | None) -> Line:
    if report is None or line.fallback:
        return line
    eligible = {f"{c.provider}/{c.capability}" for c in report.candidates if c.eligible}
    target = f"{line.target}/{line.capability}"
    if report.note is not None and target in eligible:
        return line  # it depends on the request
    return replace(line, now=target == report.target)


def picture(network: Network) -> Picture:
    nodes = tuple(
        Node(
            ensemble.name,
            ensemble.description,
            tuple(Offer(name, kind, share.tags) for name, (kind, share) in ensemble.shared().items()),
        )
        for _, ensemble in sorted(network.ensembles.items())
    )
    return Picture(network.name, nodes, tuple(line for edge in wiring(network) for line in _lines(edge)))


def _lines(edge: Edge) -> list[Line]:
    need = str(edge.use.target)
    tags = edge.use.target.tags if isinstance(edge.use.target, Discovery) else ()
    found: list[tuple[str | None, str]] = [(c.provider, c.name) for c in edge.candidates]
    lines = [
        Line(edge.ensemble, edge.use.name, provider, capability, edge.discovered, need, tags)
        for provider, capability in found or [(None, _sought(edge))]
    ]
    if (named := edge.fallback) is not None:
        target = f"{named.provider}/{named.name}"
        line = Line(edge.ensemble, edge.use.name, named.provider, named.name, False, target, (), fallback=True)
        lines.append(line)
    return lines


def _sought(edge: Edge) -> str:
    target = edge.use.target
    return (target.name or "*") if isinstance(target, Discovery) else target.capability
