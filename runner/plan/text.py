"""A plan as people read it: whole, with a legend, or as the few lines that a save prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.plan.actions import Drain, Rewire, Start, Update
from runner.plan.edges import Edge
from runner.plan.plan import Plan, Refusal
from runner.plan.words import plainly, said, told
from runner.removal import OnRemove

MANY = 8
"""How many lines of a kind a save prints."""

LEGEND = """\
+ starts   ~ changes   - finishes what it has in hand, and stops
live: in place, at once. rolling: a new version is ready before it takes over. Work in flight ends as it began."""


def text(plan: Plan) -> str:
    """The whole plan, the same for the same plan and load."""
    if not plan:
        return f"{plan.network} is as the files say (generation {plan.generation}): nothing to do"
    parts = [
        f"{plan.network}, from generation {plan.generation} on",
        "\n".join(_blocks(plan)),
        "\n".join(f"{_sign(rewire)} edge {_wired(rewire.edge)}: {rewire.cause}" for rewire in plan.edges),
        LEGEND,
        f"{_counted(plan)}. Hash {plan.hash}",
    ]
    return "\n\n".join(part for part in parts if part)


def compact(plan: Plan) -> str:
    """A line for each ensemble and each new edge: `~ kitchen  capacity.max_concurrent 4 → 8 (live)`.

    Of each kind the first, where there are many, and how many more.
    """
    named = [(update.ensemble or plan.network, said(update.changes)) for update in plan.of(Update)]
    width = max((len(name) for name, _ in named[:MANY]), default=0)
    updates = [f"~ {name:<{width}}  {changes}" for name, changes in named]
    starts = [f"+ {start.ensemble}" for start in plan.of(Start)]
    busy_first = sorted(plan.of(Drain), key=lambda drain: not _load(drain))
    drains = [f"- {drain.ensemble} ({', '.join(['draining', *_load(drain)])})" for drain in busy_first]
    staying = [rewire for rewire in plan.edges if rewire.added or rewire.ensemble not in plan.stopped]
    edges = dict.fromkeys(f"edge {_wired(r.edge)}" if r.added else f"edge {r.edge} (removed)" for r in staying)
    told = (("~", updates), ("+", starts), ("-", drains), ("edge …", tuple(edges)))
    return "\n".join(line for sign, lines in told for line in _first(lines, sign))


def steps(plan: Plan) -> str:
    """Every action in the order of the plan, with its cause and what it waits for."""
    return "\n".join(
        f"{action.key}: {action.cause}" + (f" [after {', '.join(action.after)}]" if action.after else "")
        for action in plan.actions
    )


def refused(refusal: Refusal) -> str:
    """What cannot be done, each with what it is and was."""
    return "\n".join([refusal.message, *(f"  {plainly(change)}" for change in refusal.changes)])


def _first(lines: Sequence[str], sign: str) -> Iterator[str]:
    yield from lines if len(lines) <= MANY + 1 else lines[:MANY]
    if len(lines) > MANY + 1:
        yield f"{sign} and {len(lines) - MANY} more"


def _blocks(plan: Plan) -> Iterator[str]:
    for action in plan.actions:
        match action:
            case Start():
                yield f"+ {action.ensemble}"
                yield from (f"    {fact}" for fact in action.facts)
            case Update():
                load = _load(action)
                yield f"~ {action.ensemble or plan.network}" + (f" ({', '.join(load)})" if load else "")
                yield from (f"    {told(change)}" for change in action.changes)
            case Drain():
                load = _load(action)
                yield f"- {action.ensemble}" + (f" ({', '.join(load)})" if load else "")
            case _:
                pass


def _load(action: Update | Drain) -> list[str]:
    amounts = ((action.in_flight, "in flight"), (action.queued, f"queued{_fate(action)}"))
    return [f"{amount} {what}" for amount, what in amounts if amount]


def _fate(action: Update | Drain) -> str:
    """What becomes of the tasks that wait for an ensemble that goes."""
    match action:
        case Drain(on_remove=OnRemove.HOLD):
            return " → held"
        case Drain(on_remove=OnRemove.FAIL):
            return " → failed"
    return ""


def _sign(rewire: Rewire) -> str:
    return "+" if rewire.added else "-"


def _wired(edge: Edge) -> str:
    why = [f"discovered: {edge.need}"] if edge.need else ["fallback"] if edge.fallback else []
    return " ".join([str(edge), *(f"({reason})" for reason in why)])


def _counted(plan: Plan) -> str:
    changed = sum(1 for _ in plan.of(Update))
    return f"{len(plan.started)} to start, {changed} to change, {len(plan.stopped)} to stop"
