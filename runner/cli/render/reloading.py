"""A saved change, as it is told in the terminal: what it did and how long that took, or why it did nothing."""

from __future__ import annotations

from dataclasses import replace

from pydantic import JsonValue

from runner.cli.render import problems
from runner.cli.render.style import paint, visible, visible_lines
from runner.errors import EnsembleNetworkError, InvalidNetwork
from runner.host.happenings import Reloaded, ReloadRefused
from runner.plan.report import report_of
from runner.plan.text import compact

_COLOURS = {"+": "green", "-": "red", "~": "yellow"}
_SIGNS = frozenset(f"{sign} " for sign in _COLOURS)


def applied(happening: Reloaded, *, colour: bool = False) -> str:
    """`~ kitchen  capacity.max_concurrent 4 → 8 (live)`, a line for each ensemble and edge, and the time it took."""
    told = painted(visible_lines(compact(happening.plan)), colour=colour)
    by = f", by {visible(happening.by)}" if happening.by else ""
    back = f", back to {happening.restores}" if happening.restores else ""
    return f"{told}\ngeneration {happening.generation} in {happening.milliseconds:,.0f} ms{back}{by}"


def painted(text: str, *, colour: bool) -> str:
    """The lines of a plan in the colours of their signs."""
    lines = text.split("\n")
    return "\n".join(paint(line, _COLOURS[line[0]], colour=colour) if line[:2] in _SIGNS else line for line in lines)


def refused(happening: ReloadRefused, base: str, *, colour: bool = False) -> str:
    """As `validate` prints it, files named from the directory `base`; and what runs on."""
    told = problems.human(from_directory(happening.problem, base), colour=colour)
    return f"{told}\nnothing has changed: generation {happening.generation} runs on"


def applied_as_json(happening: Reloaded) -> JsonValue:
    plan: JsonValue = report_of(happening.plan).model_dump(mode="json", by_alias=True, exclude_none=True)
    head: dict[str, JsonValue] = {"type": "reload", "ok": True, "generation": happening.generation}
    head |= {"by": happening.by, "restores": happening.restores} if happening.by else {}
    return {**head, "ms": happening.milliseconds, "plan": plan}


def refused_as_json(happening: ReloadRefused, base: str) -> JsonValue:
    told = problems.as_json(from_directory(happening.problem, base))
    head: dict[str, JsonValue] = {"type": "reload", "ok": False, "generation": happening.generation}
    return {**head, "ms": happening.milliseconds, **told}


def from_directory(problem: EnsembleNetworkError, base: str) -> EnsembleNetworkError:
    """The problem, its files named by the way to them from where `base` leads from."""
    if not isinstance(problem, InvalidNetwork) or not base:
        return problem
    found = [replace(d, span=replace(d.span, file=base + d.span.file)) for d in problem.diagnostics]
    return InvalidNetwork(found, {base + name: text for name, text in problem.sources.items()})
