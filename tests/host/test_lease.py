"""Who may write the lease: its holder always, others once it stood still or was given up."""

from __future__ import annotations

import pytest

from runner.beat import Lease
from runner.host.lease import LEASE_SECONDS, VACANT_SECONDS, Move, move, written

HELD = Lease(runner="a", epoch=4, renewals=7)
FREE = Lease(runner=None, epoch=4)


@pytest.mark.parametrize(
    ("lease", "own", "stood", "expected"),
    [
        (None, "a", 0.0, Move.TAKE),
        (FREE, "a", 0.0, Move.TAKE),
        (HELD, "a", 0.0, Move.RENEW),
        (HELD, "a", 60.0, Move.RENEW),
        (HELD, "b", VACANT_SECONDS - 0.01, Move.WAIT),
        (HELD, "b", VACANT_SECONDS, Move.TAKE),
    ],
)
def test_what_to_do_about_the_lease(lease: Lease | None, own: str, stood: float, expected: Move) -> None:
    assert move(lease, own, stood=stood) is expected


def test_a_renewal_keeps_the_epoch_and_every_taking_is_the_next() -> None:
    assert written(None, "a", Move.TAKE) == Lease(runner="a", epoch=1)
    assert written(HELD, "a", Move.RENEW) == Lease(runner="a", epoch=4, renewals=8)
    assert written(HELD, "b", Move.TAKE) == Lease(runner="b", epoch=5)
    assert written(FREE, "a", Move.TAKE) == Lease(runner="a", epoch=5)


def test_a_holder_trusts_the_lease_for_less_time_than_others_wait() -> None:
    assert LEASE_SECONDS < VACANT_SECONDS
