"""What to do about the lease: pure, from what stands in it and for how long it stood."""

from __future__ import annotations

from enum import Enum

from runner.beat import Lease

LEASE_SECONDS = 2.0
"""A leader that could not renew for so long does not count itself as one."""

VACANT_SECONDS = 3.0
"""A lease that stood unchanged for so long is free for others: longer than its holder trusts in it."""


class Move(Enum):
    """RENEW keeps the epoch; TAKE is the next one."""

    TAKE = "take"
    RENEW = "renew"
    WAIT = "wait"


def move(lease: Lease | None, own: str, *, stood: float) -> Move:
    """`stood` is for how many seconds the lease was seen unchanged, by one who was not cut off meanwhile."""
    if lease is None or lease.runner is None:
        return Move.TAKE
    if lease.runner == own:
        return Move.RENEW
    return Move.TAKE if stood >= VACANT_SECONDS else Move.WAIT


def written(lease: Lease | None, own: str, chosen: Move) -> Lease:
    """The lease as `own` writes it for a TAKE or a RENEW."""
    if lease is None:
        return Lease(runner=own, epoch=1)
    if chosen is Move.RENEW:
        return lease.model_copy(update={"renewals": lease.renewals + 1})
    return Lease(runner=own, epoch=lease.epoch + 1)
