"""Whether a server that is somebody else's lets the ensembles do what a configuration needs: nothing is granted there.

All ensembles of a network are one user on such a server, the runner's. It is asked what it may do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from runner.bus.connection import Connection
from runner.bus.held import ASK, held_by
from runner.bus.permissions import Grant, Permissions, of_ensemble, of_queue
from runner.errors import MissingPermissions
from runner.host.users import LONGEST_DEADLINE
from runner.model import Network
from runner.routing.wiring import Edge, wiring
from runner.subjects import Subjects
from runner.work import CapabilityType

SHOWN = 40
"""How many lines a message has."""


async def refuse_without_leave(connection: Connection, before: Network, after: Network) -> None:
    """Raises MissingPermissions for what only the new configuration needs, and the connection's user may not do."""
    if (held := await held_by(connection)) is not None:
        had = held.missing(_needed(before))
        if missing := [line for line in held.missing(_needed(after)) if line not in had]:
            lines = "\n".join(f"  {line}" for line in _some(missing))
            raise MissingPermissions(
                f"the server does not let the network's user do all that it will need to:\n{lines}"
            )


async def lacking(connection: Connection, network: Network) -> str | None:
    """What to tell of a user that may not do all that is needed; None where it may."""
    held = await held_by(connection)
    if held is None:
        return f"what the network's user may do cannot be read: let it publish to {ASK}, and it is looked at"
    missing = held.missing(_needed(network))
    what = "the server does not let the network's user do all that it needs to"
    return f"{what}: {', '.join(_some(missing))}" if missing else None


def _some(lines: Sequence[str]) -> tuple[str, ...]:
    more = len(lines) - SHOWN
    return (*lines[:SHOWN], *([f"and {more} more"] if more > 0 else []))


def _needed(network: Network) -> Permissions:
    publish: set[str] = set()
    subscribe: set[str] = set()
    responds: timedelta | None = None
    for needs in _needs(network):
        publish.update(needs.publish)
        subscribe.update(needs.subscribe)
        responds = responds or needs.responds_within
    return Permissions(tuple(sorted(publish)), tuple(sorted(subscribe)), responds)


def _needs(network: Network) -> Iterator[Permissions]:
    """Of each ensemble what it serves, and whom it may come to ask as the file stands; and of its queue."""
    subjects, grants = Subjects(network.name), _grants(wiring(network))
    for name, ensemble in network.ensembles.items():
        takes = any(kind is CapabilityType.TASK for kind, _ in ensemble.shared().values())
        asks = grants.get(name, ())
        yield of_ensemble(subjects, name, asks, longest_deadline=LONGEST_DEADLINE, takes_tasks=takes)
        if takes:
            yield of_queue(subjects, name)


def _grants(edges: Iterable[Edge]) -> dict[str, list[Grant]]:
    """Of a discovered use those whom the file has now: who comes later is looked at when it comes."""
    granted: dict[str, list[Grant]] = {}
    for edge in edges:
        asked = (*edge.candidates, *([edge.fallback] if edge.fallback is not None else []))
        granted.setdefault(edge.ensemble, []).extend(Grant(one.type, one.provider, one.name) for one in asked)
    return granted
