"""The network's graph as data, for programs."""

from __future__ import annotations

from pydantic import JsonValue

from runner.cli.render.graph.picture import Line, Node, Picture


def document(picture: Picture) -> JsonValue:
    """`{network, ensembles: [{name, description, capabilities}], wiring: [{ensemble, use, kind, ...}]}`."""
    live = any(line.now is not None for line in picture.lines)
    return {
        "network": picture.network,
        "ensembles": [_node(node) for node in picture.nodes],
        "wiring": [_line(line, live=live) for line in picture.lines],
    }


def _node(node: Node) -> JsonValue:
    offers: list[JsonValue] = [
        {"name": offer.name, "type": offer.kind.value, "tags": list(offer.tags)} for offer in node.offers
    ]
    return {"name": node.name, "description": node.description, "capabilities": offers}


def _line(line: Line, *, live: bool) -> JsonValue:
    """`provider` is null where nobody offers what is needed, `now` is told of a running network alone."""
    return {
        "ensemble": line.source,
        "use": line.use,
        "kind": "fallback" if line.fallback else "discovered" if line.discovered else "static",
        "provider": line.target,
        "capability": line.capability,
        "tags": list(line.tags),
        **({"now": line.now} if live else {}),
    }
