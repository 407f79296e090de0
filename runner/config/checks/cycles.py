"""Delegation comes to an end: no capability reaches itself, unless a use on the way bounds its hops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runner.config.codes import Rule
from runner.config.draft import Draft, Member
from runner.config.ensemble_file import TaskFile, UseFile
from runner.config.ways import named_by
from runner.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True)
class _Hop:
    """A task delegating through a use of its ensemble."""

    member: Member
    use: str
    target: str


def delegation_ends(draft: Draft) -> Iterator[Diagnostic]:
    """Each cycle once, at the use that closes it. Python may delegate too, which nobody can see from here."""
    graph = {f"{member.name}/{name}": list(_hops(draft, member, task)) for member, name, task in draft.tasks()}
    finished: set[str] = set()
    for start in graph:
        if start not in finished:
            yield from _walk(graph, start, finished)


def _walk(graph: dict[str, list[_Hop]], start: str, finished: set[str]) -> Iterator[Diagnostic]:
    """Depth first, without recursion: a hop back onto the path closes a cycle."""
    path = [start]
    depth = {start: 0}
    pending = [iter(graph[start])]
    while pending:
        hop = next(pending[-1], None)
        if hop is None:
            pending.pop()
            done = path.pop()
            del depth[done]
            finished.add(done)
        elif hop.target in depth:
            yield _cycle([*path[depth[hop.target] :], hop.target], hop)
        elif hop.target in graph and hop.target not in finished:
            depth[hop.target] = len(path)
            path.append(hop.target)
            pending.append(iter(graph[hop.target]))


def _cycle(path: list[str], hop: _Hop) -> Diagnostic:
    span = hop.member.written.span(("uses", hop.use), key=True)
    message = f"the delegation never ends: {' → '.join(path)}"
    hint = "take one use out of the cycle, or bound it with `max_hops:`"
    return Diagnostic(Rule.DELEGATION_CYCLE, message, span, hint=hint)


def _hops(draft: Draft, member: Member, task: TaskFile) -> Iterator[_Hop]:
    """Where a task may delegate to, each target once, hops with a bound left out."""
    seen: set[str] = set()
    for name in named_by(member, task):
        use = member.file.uses.get(name)
        if use is None or use.max_hops is not None:
            continue
        for target in _targets(draft, member, use):
            if target not in seen:
                seen.add(target)
                yield _Hop(member, name, target)


def _targets(draft: Draft, member: Member, use: UseFile) -> Iterator[str]:
    """Where a use leads, and its fallback; nowhere where several could meet it."""
    if use.to is not None:
        yield use.to
    else:
        need = draft.need(use)
        if need is not None and draft.found(need).number(asking=member.name) == 1:
            yield from map(str, draft.found(need).others(asking=member.name))
    if use.fallback is not None:
        yield use.fallback
