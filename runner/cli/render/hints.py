"""What is heard of a request on its way, as lines."""

from __future__ import annotations

from runner.cli.render.style import visible
from runner.durations import format_duration
from runner.work import Standing, TaskAccepted, TaskProgress


def accepted(hint: TaskAccepted) -> str:
    """`accepted by kitchen: position 3, about 40s to go (5f0c…)`; nothing of the time where nobody can tell it.

    A second line says where too many wait.
    """
    left = f", about {format_duration(hint.estimated_completion)} to go" if hint.estimated_completion else ""
    said = f"accepted by {visible(hint.provider)}: position {hint.queue_position}{left} ({visible(hint.request_id)})"
    return f"{said}\n{constrained(hint)}" if hint.constrained else said


def constrained(hint: TaskAccepted) -> str:
    """`kitchen is constrained: 12 wait`."""
    return f"{visible(hint.provider)} is constrained: {hint.queue_position} wait"


def progress(hint: TaskProgress) -> str:
    percent = "" if hint.percent is None else f"{hint.percent:3.0f}% "
    return f"  {percent}{visible(hint.message)}"


def unclaimed(standing: Standing) -> str:
    """`nobody has taken it yet: kitchen is STOPPED; it is held until 12:30:05 (5f0c…)`."""
    state = f"{visible(standing.provider)} is {standing.provider_state}; " if standing.provider else ""
    waits = "is held" if standing.state == "HELD" else "waits"
    until = f" until {standing.expires_at.astimezone():%H:%M:%S}" if standing.expires_at else ""
    return f"nobody has taken it yet: {state}it {waits}{until} ({visible(standing.request_id)})"
