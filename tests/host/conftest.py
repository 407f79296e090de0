"""What the host's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runner.work import Placement
from tests.support import networks


@pytest.fixture(params=tuple(Placement))
def both_placements(request: pytest.FixtureRequest) -> Iterator[None]:
    """The networks of the test run with every ensemble inline, and again with each in a process of its own."""
    before, networks.placed = networks.placed, request.param
    yield
    networks.placed = before
