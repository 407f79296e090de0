"""What the user of a connection may do on a server that somebody else runs, as that server tells."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner.bus.away import AWAY
from runner.bus.connection import Connection
from runner.bus.permissions import Permissions

ANSWER_SECONDS = 1.0
"""A user who may not ask gets no answer."""

ASK = "$SYS.REQ.USER.INFO"


@dataclass(frozen=True, slots=True)
class _Side:
    """Publishing, or subscribing. Without anything in `allow` all is allowed that is not denied."""

    allow: tuple[str, ...] | None
    deny: tuple[str, ...]

    def allows(self, pattern: str) -> bool:
        """All of it, by one entry or by several together."""
        allowed = self.allow is None or cover(self.allow, pattern)
        return allowed and not any(overlap(entry, pattern) for entry in self.deny)


@dataclass(frozen=True, slots=True)
class Held:
    """The leave of one user."""

    publish: _Side
    subscribe: _Side
    responds: bool

    def missing(self, needed: Permissions) -> tuple[str, ...]:
        """What it lacks of what is needed, a line each, as in the configuration of a server."""
        publish = [f'publish: "{pattern}"' for pattern in needed.publish if not self.publish.allows(pattern)]
        subscribe = [f'subscribe: "{pattern}"' for pattern in needed.subscribe if not self.subscribe.allows(pattern)]
        silent = needed.responds_within is not None and not (self.responds or self.publish.allows(">"))
        return (*publish, *subscribe, *(["allow_responses: true"] if silent else []))


async def held_by(connection: Connection) -> Held | None:
    """The leave of a connection's user; None where the server does not tell."""
    try:
        told = json.loads((await connection.request(ASK, timeout=ANSWER_SECONDS)).data)["data"]
    except (*AWAY, ValueError, KeyError, TypeError):
        return None
    permissions = told.get("permissions") or {}
    responds = bool(permissions.get("responses"))
    return Held(_side(permissions.get("publish")), _side(permissions.get("subscribe")), responds)


def _side(told: Mapping[str, list[str]] | None) -> _Side:
    """An entry of a subscription may have a queue behind it."""
    allow, deny = ((told or {}).get(kind) or () for kind in ("allow", "deny"))
    return _Side(
        tuple(entry.split()[0] for entry in allow) if allow else None,
        tuple(entry for entry in deny if len(entry.split()) == 1),
    )


def cover(entries: Sequence[str], pattern: str) -> bool:
    """Whether every subject of a pattern is one of at least one entry.

    There is always a token that no entry names. So of all subjects of one length, one that has such a token wherever
    the pattern leaves it open stands for the rest, and the one entry that has it has all of them. Only what ends in `>`
    has several lengths, and those beyond the longest entry are all alike.
    """
    *head, last = pattern.split(".")
    if last != ">":
        return any(covers(entry, pattern) for entry in entries)
    longest = max((len(entry.split(".")) for entry in entries), default=0)
    lengths = range(1, max(1, longest + 1 - len(head)) + 1)
    return all(any(covers(entry, ".".join([*head, *["*"] * more])) for entry in entries) for more in lengths)


def covers(wide: str, narrow: str) -> bool:
    """Whether every subject of one pattern is one of the other."""
    outer, inner = wide.split("."), narrow.split(".")
    for place, token in enumerate(outer):
        if token == ">":
            return place < len(inner)
        if place >= len(inner) or inner[place] == ">" or token not in ("*", inner[place]):
            return False
    return len(outer) == len(inner)


def overlap(one: str, other: str) -> bool:
    """Whether some subject is one of both patterns."""
    ours, theirs = one.split("."), other.split(".")
    for mine, yours in zip(ours, theirs, strict=False):
        if ">" in (mine, yours):
            return True
        if "*" not in (mine, yours) and mine != yours:
            return False
    return len(ours) == len(theirs)
