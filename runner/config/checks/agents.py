"""An agent has a model that exists, and tools that its ensemble has; so has a health check."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config.codes import Rule
from runner.config.draft import Draft, Member
from runner.config.suggest import did_you_mean
from runner.diagnostics import Diagnostic


def agents_have_models_and_tools(draft: Draft) -> Iterator[Diagnostic]:
    for member in draft.members.values():
        for name in member.file.agents:
            yield from _model(draft, member, name)
            yield from _tools(member, name)
        yield from _probe(member)


def _model(draft: Draft, member: Member, agent: str) -> Iterator[Diagnostic]:
    model = member.file.agents[agent].model
    if model not in draft.file.models and not draft.written.is_doubtful(("models", model)):
        hint = did_you_mean(model, draft.file.models, otherwise="add it to `models:` in the network file")
        span = member.written.span(("agents", agent, "model"))
        yield Diagnostic(Rule.UNKNOWN_MODEL, f"no model route is called `{model}`", span, hint=hint)


def _tools(member: Member, agent: str) -> Iterator[Diagnostic]:
    file = member.file
    known = file.tools.keys() | file.uses.keys()
    for number, tool in file.agents[agent].named.items():
        if tool in known or any(member.written.is_doubtful((kind, tool)) for kind in ("tools", "uses")):
            continue
        hint = did_you_mean(tool, known, otherwise="add it to `tools:` or `uses:`")
        span = member.written.span(("agents", agent, "tools", number))
        yield Diagnostic(Rule.UNKNOWN_TOOL, f"`{member.name}` has no tool or use called `{tool}`", span, hint=hint)


def _probe(member: Member) -> Iterator[Diagnostic]:
    tool, known = member.file.health.tool if member.file.health else None, member.file.tools
    if tool is None or tool in known or member.written.is_doubtful(("tools", tool)):
        return
    hint = did_you_mean(tool, known, otherwise="add it to `tools:`")
    span = member.written.span(("health", "tool"))
    yield Diagnostic(Rule.UNKNOWN_TOOL, f"`{member.name}` has no tool called `{tool}`", span, hint=hint)
