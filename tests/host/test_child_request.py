"""What a use hands on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from runner.capability import CapabilityInfo
from runner.host.child_request import Sending
from runner.model import StaticTarget, Use
from runner.work import CapabilityType
from tests.support.assignments import a_request


@pytest.mark.parametrize(("parents", "childs"), [(None, 7), (5, 5)])
def test_a_chain_of_requests_carries_the_generation_in_which_it_began(parents: int | None, childs: int) -> None:
    use = Use(name="stock", target=StaticTarget("procurement", "stock"))
    sending = Sending(a_request(generation=parents), "kitchen", "prepare-meal", True, use, "wagyu", generation=7)
    provider = CapabilityInfo(provider="procurement", name="stock", type=CapabilityType.TOOL)
    now = datetime.now(UTC)
    request = sending.request(provider, ("s",), expires_at=now + timedelta(seconds=1), now=now, found=False)
    assert request.generation == childs
