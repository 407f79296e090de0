"""Why a use goes where it goes, in words and a table of the candidates. Colour never says anything alone."""

from __future__ import annotations

from collections.abc import Iterator

from runner.cli.render.style import paint, visible
from runner.cli.render.tables import table
from runner.diagnostics import Span
from runner.why import CandidateReport, WhyReport
from runner.work import CapabilityType, EnsembleState

_STRATEGIES = {
    "first": "the first by name",
    "round-robin": "each in turn, by name",
    "random": "anyone, by chance",
    "least-loaded": "the less busy of two that are drawn",
    "affinity": "always the same one for the same key",
    "lowest-latency": "whoever was fastest lately",
    "lowest-cost": "whoever costs least",
    "meets-deadline": "the cheapest that is likely to be done in time",
}


def why(report: WhyReport, place: Span | None, *, width: int | None = None, colour: bool = False) -> str:
    """What the use needs and where that is said, who could be asked and who is."""
    parts = [visible(f"{report.use} of {report.ensemble} {_needs(report)}")]
    if place is not None:
        parts.append(paint(visible(f"  {place.file}:{place.line}:{place.column} says so"), "dim", colour=colour))
    return "\n".join([*parts, "", _candidates(report, width, colour), "", *_verdict(report)])


def _needs(report: WhyReport) -> str:
    if report.kind == "static":
        return f"names {report.need}"
    wishes = [
        f"{wish} {', '.join(tags)}" for wish, tags in (("prefers", report.prefer), ("avoids", report.avoid)) if tags
    ]
    means = f"{report.strategy}: {_STRATEGIES.get(report.strategy, report.strategy)}"
    return f"discovers {report.need} ({'; '.join([means, *wishes])})"


def _candidates(report: WhyReport, width: int | None, colour: bool) -> str:
    if not report.candidates:
        return "  nobody offers anything like it"
    live = report.runner is not None
    known = [
        ("LATENCY", [_milliseconds(c.latency_ms) for c in report.candidates]),
        ("COST", ["-" if c.cost is None else f"{c.cost:g}" for c in report.candidates]),
    ]
    more = [(head, cells) for head, cells in known if set(cells) != {"-"}]
    heads = [
        "",
        "CANDIDATE",
        "TYPE",
        *(["STATE", "LOAD", "WAITING"] if live else []),
        *(head for head, _ in more),
        "WHY",
    ]
    rows = [
        [
            "✓" if c.eligible else "✗",
            f"{c.provider}/{c.capability}",
            c.type.value,
            *([c.state.value, f"{c.load:.0%}", str(c.queue_depth)] if live else []),
            *(cells[number] for _, cells in more),
            _reason(report, c),
        ]
        for number, c in enumerate(report.candidates)
    ]
    indented = table(heads, rows, width=width and width - 2, colour=colour).splitlines()
    rest = [f"and {report.omitted:,} more candidates"] if report.omitted else []
    return "\n".join(f"  {line}" for line in [*indented, *rest])


def _reason(report: WhyReport, candidate: CandidateReport) -> str:
    target = f"{candidate.provider}/{candidate.capability}"
    verdict = "chosen" if target == report.target else "eligible" if candidate.eligible else "not eligible"
    if report.kind == "static" and not candidate.reason:
        return "named by the use"
    return f"{verdict}: {candidate.reason}" if candidate.reason else verdict


def _milliseconds(latency: float | None) -> str:
    return "-" if latency is None else f"{latency:,.0f} ms"


def _verdict(report: WhyReport) -> Iterator[str]:
    if report.target is not None:
        yield visible(f"→ {report.target}{_then(report)}")
    elif report.note is not None:
        yield visible(f"→ one of the eligible: {report.note}")
    else:
        yield visible(f"→ nobody can be asked{_fallen_back(report)}")
    if report.runner is None:
        yield "  as the file declares it, with every ensemble up: no network is running here"


def _then(report: WhyReport) -> str:
    """What becomes of a request there, and who is asked where the chosen one does not take it."""
    rest = ", then ".join([*report.order[1:], *([f"the fallback {report.fallback}"] if report.fallback else [])])
    chosen = next((c for c in report.candidates if f"{c.provider}/{c.capability}" == report.target), None)
    if chosen is None or (how := _meets(chosen.provider, chosen.type, chosen.state)) is None:
        return f"; then {rest}" if rest else ""
    unless = "where that is full," if chosen.type is CapabilityType.TASK else "then"
    return f": {how}" + (f"; {unless} {rest}" if rest else "")


def _fallen_back(report: WhyReport) -> str:
    if report.fallback is None:
        return ""
    kind, state = report.fallback_type, report.fallback_state
    how = _meets(report.fallback.partition("/")[0], kind, state) if kind is not None and state is not None else None
    return f": its fallback {report.fallback} is" + (f"; {how}" if how else "")


def _meets(provider: str, kind: CapabilityType, state: EnsembleState) -> str | None:
    """What a request meets at a provider that is not as it should be; None where it is."""
    if state is EnsembleState.READY:
        return None
    if kind is CapabilityType.TASK:
        return f"{provider} is {state}, and the task waits in its queue"
    return f"{provider} is {state}, and {'refuses calls' if state is EnsembleState.DEGRADED else 'does not answer'}"
