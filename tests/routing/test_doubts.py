"""What a caller makes of an acceptance, as a table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from runner.model import OnConstrained, OnLateEta
from runner.routing.doubts import Verdict, is_late, of_constrained, of_late
from runner.work import TaskAccepted

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("estimate", "left", "late"), [(0, 10, False), (9, 10, False), (11, 10, True), (0, 0, False)])
def test_a_task_is_late_where_its_estimate_passes_the_deadline(estimate: int, left: int, late: bool) -> None:
    """An estimate of nothing is none: the provider has measured nothing yet."""
    accepted = TaskAccepted(
        request_id="r1", queue_position=0, estimated_completion=timedelta(seconds=estimate), provider="kitchen"
    )
    assert is_late(accepted, NOW + timedelta(seconds=left), NOW) is late


def test_each_word_has_its_verdict() -> None:
    assert {word: of_constrained(word) for word in OnConstrained} == {
        OnConstrained.WAIT: Verdict.GO_ON,
        OnConstrained.FAIL: Verdict.FAIL,
        OnConstrained.FALLBACK: Verdict.FALLBACK,
    }
    assert {(word, others): of_late(word, others=others) for word in OnLateEta for others in (True, False)} == {
        (OnLateEta.ACCEPT, True): Verdict.GO_ON,
        (OnLateEta.ACCEPT, False): Verdict.GO_ON,
        (OnLateEta.OTHER_PROVIDER, True): Verdict.OTHER_PROVIDER,
        (OnLateEta.OTHER_PROVIDER, False): Verdict.GO_ON,
        (OnLateEta.CONTINUE, True): Verdict.CONTINUE,
        (OnLateEta.CONTINUE, False): Verdict.CONTINUE,
    }
