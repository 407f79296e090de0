"""A network coming up, as lines: each ensemble as it is ready, and when all are, the wiring and what to try."""

from __future__ import annotations

from runner.cli.render.graph.picture import Line, Node, Picture
from runner.cli.render.style import counted, paint, visible
from runner.host.happenings import EnsembleMoved, ServerReady
from runner.work import CapabilityType, EnsembleState

_COLOURS = {EnsembleState.READY: "green", EnsembleState.FAILED: "red", EnsembleState.STOPPED: "dim"}


def server(happening: ServerReady, network: str) -> str:
    what = "its own nats-server" if happening.embedded else "nats-server"
    if happening.joined is not None:
        what = f"the nats-server of pid {happening.joined}"
    version = f" {happening.version}" if happening.version else ""
    return f"{network} on {what}{version} at {happening.url} ({happening.milliseconds:,.0f} ms)"


def ensemble(happening: EnsembleMoved, picture: Picture, *, colour: bool = False) -> str:
    """One row of the table: name, state, when, and what it shares."""
    node = next((node for node in picture.nodes if node.name == happening.ensemble), None)
    width = max((len(node.name) for node in picture.nodes), default=0)
    state = paint(f"{happening.state:<8}", _COLOURS.get(happening.state, "yellow"), colour=colour)
    told = visible(happening.detail) if happening.detail else ""
    shares = _shares(node) if node and happening.state is EnsembleState.READY else ""
    row = f"  {happening.ensemble:<{width}}  {state}  {happening.milliseconds:>6,.0f} ms"
    return "  ".join(filter(None, [row, shares, told]))


def wiring(picture: Picture) -> str:
    """Every use with what it resolves to; `-->` is static, `-.->` discovered."""
    if not picture.lines:
        return "no ensemble uses another"
    name = max(len(f"{line.source}  {line.use}") for line in picture.lines)
    return "\n".join(["wiring", *(_edge(line, name) for line in picture.lines)])


def ready(hosted: int, milliseconds: float, *, watched: bool) -> str:
    saves = "what you save is applied" if watched else "the files are not watched"
    return f"{counted(hosted, 'ensemble')} ready in {milliseconds:,.0f} ms. Ctrl-C drains and stops; {saves}."


def _shares(node: Node) -> str:
    parts = []
    for kind in (CapabilityType.TASK, CapabilityType.TOOL):
        names = [offer.name for offer in node.offers if offer.kind is kind]
        if names:
            parts.append(f"{kind.lower()}{'s' if len(names) > 1 else ''} {', '.join(names)}")
    return "; ".join(parts)


def _edge(line: Line, width: int) -> str:
    arrow = "-.->" if line.discovered else "--> "
    target = f"{line.target}/{line.capability}" if line.target else f"nobody offers {line.need}"
    found = f"  (discovered: {line.need})" if line.discovered and line.target else ""
    if line.fallback:
        found = "  (fallback)"
    who = f"{line.source}  {line.use}"
    return f"  {who:<{width}}  {arrow} {target}{found}"
