"""Steps side by side, for each item and tried again, over a real server."""

from __future__ import annotations

from pathlib import Path

from runner.errors import UsageProblem
from runner.reports import SpanReport
from runner.work import Status, WorkResponse
from tests.support.networks import LiveNetwork, eventually, live

NETWORK = """\
network: inn
ensembles:
  desk:
    capacity: {max_concurrent: 1}
    uses: {meet: kitchen/meet, cook: kitchen/cook, refuse: kitchen/refuse}
    tasks:
      feast:
        share: true
        steps:
          - {id: served, needs: [dishes, table], template: "{{ steps.dishes | join(', ') }} at {{ steps.table }}"}
          - {id: table, use: meet, input: table}
          - {id: wine, use: meet, input: wine}
          - {id: dishes, needs: [wine], for_each: {items: "{{ context }}", max_concurrent: 2}, use: cook,
             input: "{{ index }} {{ item }}", retry: {attempts: 3, backoff: 10ms}}
        output: "{{ steps.served }}"
      closed: {share: true, steps: [{id: no, use: refuse, retry: {attempts: 3, backoff: 10ms}}]}
  kitchen:
    tasks:
      meet: {share: true, steps: [{python: "inn:meet"}]}
      cook: {share: true, steps: [{python: "inn:cook"}]}
      refuse: {share: true, steps: [{python: "inn:refuse"}]}
"""
MODULE = """\
import asyncio

import runner

here, seen = set(), []


async def meet(text: str) -> str:
    here.add(text)
    while len(here) < 2:
        await asyncio.sleep(0.01)
    return text


async def cook(text: str) -> str:
    seen.append(text)
    if text == "1 fish" and seen.count(text) < 3:
        raise OSError("the gas is off")
    return f"{text} ({seen.count(text)})"


async def refuse(text: str) -> str:
    seen.append("refused")
    raise runner.Refused(f"closed {seen.count('refused')}")
"""


async def spans_of(inn: LiveNetwork, request_id: str, count: int) -> dict[str, SpanReport]:
    spans: dict[str, SpanReport] = {}

    async def told() -> bool:
        try:
            report = await inn.client.trace(request_id)
        except UsageProblem:  # events follow the answer after some milliseconds
            return False
        spans.clear()
        spans.update({span.span_id: span for span in report.spans})
        return len(spans) == count and all(span.status != "RUNNING" for span in spans.values())

    await eventually(told, f"a trace of {count} spans")
    return spans


async def test_steps_meet_each_item_is_asked_for_and_what_failed_for_a_time_is_asked_again(tmp_path: Path) -> None:
    """`table` and `wine` wait for each other, so they can only end where both run at once; the desk has one slot."""
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        response = await inn.client.call("desk/feast", ["soup", "fish", "soup"], deadline=60, request_id="r1")
        assert isinstance(response, WorkResponse)
        assert (response.status, response.result) == (
            Status.COMPLETED,
            "0 soup (1), 1 fish (3), 2 soup (1) at table",
        )
        spans = await spans_of(inn, "r1", 21)
        tree = sorted(f"{spans[s.parent_id].name if s.parent_id else ''} > {s.name} {s.status}" for s in spans.values())
        assert tree == [
            " > desk/feast COMPLETED",
            "desk/feast > dishes COMPLETED",
            "desk/feast > served COMPLETED",
            "desk/feast > table COMPLETED",
            "desk/feast > wine COMPLETED",
            "dishes > dishes [1] attempt 1 RETRYING",
            "dishes > dishes [1] attempt 2 RETRYING",
            *["dishes > kitchen/cook COMPLETED"] * 3,
            *["dishes > kitchen/cook FAILED"] * 2,
            *["kitchen/cook > 0 COMPLETED"] * 3,
            *["kitchen/cook > 0 FAILED"] * 2,
            *["kitchen/meet > 0 COMPLETED"] * 2,
            "table > kitchen/meet COMPLETED",
            "wine > kitchen/meet COMPLETED",
        ]


async def test_a_refusal_is_not_asked_again(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        response = await inn.client.call("desk/closed", "please", deadline=60)
        assert isinstance(response, WorkResponse)
        assert response.error is not None
        assert (response.error.code, response.error.message) == ("REFUSED", "closed 1")
