"""What `plan`, `apply` and `rollback` share: the files that are sent, the plan as shown, and how it is applied."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import JsonValue

from runner.cli import output
from runner.cli.load import base_of, load
from runner.cli.render.reloading import from_directory, painted
from runner.cli.render.style import visible, visible_lines
from runner.cli.session import NetworkClient, conversing
from runner.config.codes import Rule
from runner.config.reading import Reading
from runner.diagnostics import Severity
from runner.errors import InvalidNetwork
from runner.proposal import ProposalAnswer
from runner.workspace import Workspace

T_ = TypeVar("T_")
Plan = Callable[[NetworkClient], Awaitable[ProposalAnswer]]
Apply = Callable[[NetworkClient, str], Awaitable[ProposalAnswer]]


def sendable(workspace: Workspace) -> Reading:
    """The files; of warnings `validate` tells. Raises InvalidNetwork for all but what only a runner may know: what a
    reference stands for."""
    loaded = load(workspace)
    errors = [d for d in loaded.diagnostics if d.severity is Severity.ERROR]
    if any(d.code != Rule.UNSET_REFERENCE for d in errors):
        raise InvalidNetwork(errors, loaded.sources)
    return loaded.reading


def about(workspace: Workspace, file: str, nats: str | None, talk: Callable[[NetworkClient], Awaitable[T_]]) -> T_:
    """A conversation about files. Where a runner finds errors in them, they are named by the way to them from here."""
    try:
        return conversing(file, nats, talk)
    except InvalidNetwork as problem:
        raise from_directory(problem, base_of(workspace)) from None


async def carried_out(network: NetworkClient, plan: Plan, apply: Apply, wanted: str | None, *, as_json: bool) -> bool:
    """Show the plan, then have just that applied, and tell how it went. False where there was nothing to do.

    With the hash that is `wanted`, another plan raises PlanMoved and is not shown.
    """
    planned = await plan(network)
    if wanted is None and not as_json:
        show(planned)
    done = planned
    if planned.plan.steps or wanted is not None:
        done = await apply(network, wanted or planned.plan.hash)
    if as_json:
        output.document(_document(done))
    elif done.applied:
        if wanted is not None:
            show(done)
        output.data(f"\ngeneration {done.generation} in {done.ms:,.0f} ms")
    return done.applied


def show(planned: ProposalAnswer) -> None:
    """The plan to people; on stderr, whose environment counts where the two differ."""
    output.data(painted(visible_lines(planned.text), colour=output.coloured(output.stdout())))
    for reference in planned.differ:
        file, _, name = reference.partition(": ")
        output.talk(
            f"note: {visible(name)} ({visible(file)}) stands for something else in this shell than where the runner "
            "runs: the runner's value counts"
        )


def _document(done: ProposalAnswer) -> JsonValue:
    plan = output.plain(done.plan)
    return {"applied": done.applied, "generation": done.generation, "ms": done.ms, "plan": plan}
