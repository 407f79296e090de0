"""Only a task can be asked without waiting for its answer."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config.codes import Rule
from runner.config.draft import Draft
from runner.diagnostics import Diagnostic


def asynchronous_uses_are_of_tasks(draft: Draft) -> Iterator[Diagnostic]:
    """A discovered use is judged as it is resolved."""
    for member, name, use in draft.uses():
        if use.mode != "async":
            continue
        for key, target in (("to", use.to), ("fallback", use.fallback)):
            offer = draft.offer(target) if target is not None else None
            if offer is not None and offer.kind == "tools":
                span = member.written.span(("uses", name, key))
                message = f"`{target}` is a tool, and a tool answers whoever waits"
                hint = "take `mode: async` out, or name a task"
                yield Diagnostic(Rule.ASYNC_TOOL, message, span, hint=hint)
