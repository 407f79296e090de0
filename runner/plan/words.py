"""How a plan speaks of a change: `capacity.max_concurrent 4 → 8 (live)`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from pydantic import JsonValue

from runner.durations import format_duration
from runner.model import Ensemble
from runner.plan.changes import Change
from runner.work import Authority

_LONGEST_SHOWN = 40
_PLAIN = re.compile(r"[\w.:/@+*()-]+")
_NAMED_AT_ONCE = 3


def said(changes: Sequence[Change]) -> str:
    """A few changes in a line, and how many more there are."""
    named = len(changes) if len(changes) <= _NAMED_AT_ONCE + 1 else _NAMED_AT_ONCE
    shown = [told(change) for change in changes[:named]]
    more = len(changes) - len(shown)
    return ", ".join(shown) + (f", and {more} more" if more else "")


def introduced(ensemble: Ensemble) -> tuple[str, ...]:
    """What a new ensemble offers, and what holds for it though its file may not say so."""
    offered = (
        f"{name} ({kind.lower()}{'' if share.authority is Authority.AUTONOMOUS else f', {share.authority.lower()}'})"
        for name, (kind, share) in sorted(ensemble.shared().items())
    )
    capacity = ensemble.capacity
    return (
        f"shares {', '.join(offered) or 'nothing'}",
        f"max_concurrent {capacity.max_concurrent}, queue_limit {capacity.queue_limit}, "
        f"sla {format_duration(ensemble.sla)}",
    )


def told(change: Change) -> str:
    """One change with its class."""
    return f"{plainly(change)} ({change.field_class})"


def plainly(change: Change) -> str:
    """One change: what it was and is, where both are short."""
    if change.in_code:
        return f"{change.path[1]} {_became(change, otherwise='edited')}"
    before, after = _shown(change.before), _shown(change.after)
    if before is None or after is None or before == after:
        return f"{change.key} {_became(change, otherwise='changed')}"
    return f"{change.key} {before} → {after}"


def _became(change: Change, *, otherwise: str) -> str:
    if change.before is None:
        return "added"
    return "removed" if change.after is None else otherwise


def _shown(value: JsonValue) -> str | None:
    """A value as a plan shows it; None for what is too long, or no plain value."""
    match value:
        case None:
            return "not set"
        case bool():
            text: str | None = str(value).lower()
        case str():
            text = value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)
        case list():
            shown = [_shown(item) for item in value]
            text = None if None in shown else f"[{', '.join(str(item) for item in shown)}]"
        case dict():
            text = None
        case _:
            text = str(value)
    return text if text is not None and len(text) <= _LONGEST_SHOWN else None
