"""What an ensemble remembers of the tasks that it claimed."""

from __future__ import annotations

from typing import Any, cast

from runner.host.acceptance import CLAIMS_KEPT, Acceptance


def test_claims_of_what_others_work_on_are_not_remembered_for_ever() -> None:
    """Where two replicas share a queue, half of what one claims is ended by the other."""
    nowhere = cast(Any, None)
    acceptance = Acceptance(nowhere, nowhere)
    assert all(acceptance.claim("desk", f"r{number}") for number in range(CLAIMS_KEPT + 1))
    assert not acceptance.claim("desk", f"r{CLAIMS_KEPT}")
    assert acceptance.claim("desk", "r0")
