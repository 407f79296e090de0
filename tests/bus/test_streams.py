"""The streams of a network on a server that may store less than they are to have."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import NoRoom
from runner.work import WorkResponse
from tests.support.networks import live

NETWORK = """\
network: inn
ensembles:
  kitchen:
    tasks:
      say: {share: true, steps: [{template: "{{ context }}"}]}
"""


async def test_a_network_comes_up_on_a_server_that_may_store_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("runner.bus.server_config.GIBIBYTE", 32 * 1024**2)  # of which it may store sixteen
    async with live(tmp_path, NETWORK) as inn:
        answer = await inn.client.call("kitchen/say", "hi")
        assert isinstance(answer, WorkResponse)
        assert answer.result == "hi"
        assert "get 1/25 of their room" in caplog.text


async def test_with_next_to_no_room_the_start_says_what_to_raise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.bus.server_config.GIBIBYTE", 1024**2)
    with pytest.raises(NoRoom) as refused:
        async with live(tmp_path, NETWORK):
            pass
    assert "cannot be made" in str(refused.value)
    assert "max_file_store" in (refused.value.hint or "")
