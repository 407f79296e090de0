"""A hand-off: the next ensemble answers the original caller, whatever happens on the way."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from runner.bus.waiting import Waiting
from runner.errors import UsageProblem
from runner.reports import SpanReport
from runner.work import DeliverySpec, Hint, Status, TaskMoved, WorkResponse
from tests.support.assignments import a_request
from tests.support.deliveries import arrived
from tests.support.handoffs import KITCHEN, dying
from tests.support.networks import LiveNetwork, eventually, live

NETWORK = """\
network: inn
ensembles:
  door:
    uses: {pass: desk/greet, round: {to: door/enter, max_hops: 4}, cook: kitchen/cook}
    tasks:
      enter:
        share: true
        steps:
          - {id: coat, template: "coat of {{ context }}"}
          - {handoff: pass, input: "{{ context }} ({{ steps.coat }})", when: "'nobody' not in context"}
          - {template: "Nobody came."}
      ask: {share: true, steps: [{id: asked, use: round}, {template: "Heard: {{ steps.asked }}"}]}
      feed: {share: true, steps: [{handoff: cook}]}
  desk:
    uses: {cook: {tags: [food], deadline: 5s}, back: {to: door/enter, max_hops: 3}}
    tasks:
      greet:
        share: true
        steps:
          - {id: name, python: "inn:greet"}
          - {handoff: back, when: "'loop' in context"}
          - {handoff: cook, input: {guest: "{{ steps.name }}"}}
  kitchen:
    capacity: {max_concurrent: 1, queue_limit: 2}
    tasks:
      cook: {share: [food], steps: [{python: "inn:cook"}]}
"""


async def answered(inn: LiveNetwork, target: str, text: str, **given: Any) -> WorkResponse:
    response = await inn.client.call(target, text, deadline=given.pop("deadline", 20), **given)
    assert isinstance(response, WorkResponse)
    return response


@pytest.mark.usefixtures("both_placements")
async def test_the_next_one_answers_the_original_caller_and_the_chain_shows_it(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, inn=KITCHEN) as inn:
        response = await answered(inn, "door/enter", "Ann", request_id="r1")
        chain = "door/enter, desk/greet"
        assert (response.status, response.provider) == (Status.COMPLETED, "kitchen")
        assert response.result == f"dear Ann (coat of Ann): _client-tester r1 {chain} (1)"
        assert (await inn.client.result("r1")) == response
        assert (await answered(inn, "door/enter", "Ann", request_id="r1")) == response
        reports = [report for report in await inn.client.requests() if report.request_id == "r1"]
        assert [(report.provider, report.status) for report in reports] == [("kitchen", Status.COMPLETED)]


@pytest.mark.usefixtures("both_placements")
async def test_one_that_is_passed_over_leaves_the_answer_here(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, inn=KITCHEN) as inn:
        response = await answered(inn, "door/enter", "nobody")
        assert (response.provider, response.result) == ("door", "Nobody came.")


async def test_a_hand_off_that_comes_back_ends_with_its_hops(tmp_path: Path) -> None:
    """On its way each ensemble had the same request several times, and worked on each turn once."""
    async with live(tmp_path, NETWORK, inn=KITCHEN) as inn:
        response = await answered(inn, "door/enter", "loop", request_id="r1")
        assert response.error is not None
        assert (response.status, response.error.code) == (Status.REJECTED, "HOPS_EXCEEDED")

        async def told() -> bool:
            kinds = [event.kind async for event in inn.client.events(request_id="r1")]
            return "rejected" in kinds and kinds.count("moved") == kinds.count("started") == 6

        await eventually(told, "a story of six hand-offs")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("method", ["record", "publish"])
async def test_wherever_it_is_killed_nothing_is_lost_and_nothing_done_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, after: bool
) -> None:
    async with live(tmp_path, NETWORK, inn=KITCHEN) as inn:
        with dying(monkeypatch, method, after=after) as deaths:
            response = await answered(inn, "door/feed", "Ann", request_id="r1")
        assert len(deaths) == 1
        assert (response.status, response.result) == (Status.COMPLETED, "Ann: _client-tester r1 door/feed (1)")
        assert await inn.client.result("r1") == response


async def test_an_answer_of_somebody_unknown_makes_the_caller_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the word that it was moved is lost, it would else wait for its next look at the record."""
    take = Waiting.take

    def deaf(self: Waiting, hint: Hint) -> None:
        if not isinstance(hint, TaskMoved):
            take(self, hint)

    async with live(tmp_path, NETWORK, inn=KITCHEN) as inn:
        monkeypatch.setattr(Waiting, "take", deaf)
        response = await answered(inn, "door/feed", "Ann", deadline=10)
        assert (response.status, response.provider) == (Status.COMPLETED, "kitchen")


async def test_who_delegated_to_one_that_hands_off_gets_the_answer_too(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, inn=KITCHEN) as inn:
        response = await answered(inn, "door/ask", "Ann")
        assert isinstance(response.result, str)
        assert response.result.startswith("Heard: dear Ann (coat of Ann): door ")
        assert "door/ask, door/enter, desk/greet (1)" in response.result


@pytest.mark.usefixtures("both_placements")
async def test_a_full_queue_fails_the_one_who_hands_off(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, inn=KITCHEN) as inn:
        for number in range(2):
            await inn.client.call("kitchen/cook", f"slow {number}", mode="async", request_id=f"slow-{number}")
        response = await answered(inn, "door/enter", "Ann", request_id="r1")
        assert response.error is not None
        assert (response.status, response.error.code, response.provider) == (Status.FAILED, "QUEUE_FULL", "desk")
        assert response.partial == {"name": "dear Ann (coat of Ann)"}
        assert await inn.client.result("r1") == response
        for number in range(2):
            await inn.client.cancel(f"slow-{number}")


async def test_a_request_that_waits_longer_than_results_are_kept_is_its_callers_all_the_same(tmp_path: Path) -> None:
    """What proves whose it is must last until it has its outcome."""
    briefly = NETWORK.replace("network: inn\n", "network: inn\ndefaults: {results_kept: 1s}\n")
    async with live(tmp_path, briefly, inn=KITCHEN) as inn:
        await inn.client.call("kitchen/cook", "slow first", mode="async", request_id="first")
        waits = asyncio.ensure_future(answered(inn, "door/feed", "late", request_id="late"))
        desk = inn.runner._ground.desk

        async def moved() -> bool:
            record = (await desk.read("_client-tester", "late")).record
            return record is not None and record.moved is not None

        await eventually(moved, "a hand-off")
        await answered(inn, "door/enter", "nobody", request_id="other")

        async def forgotten() -> bool:
            return (await desk.read("_client-tester", "other")).record is None

        await eventually(forgotten, "the end of what was recorded later")
        await inn.client.cancel("first")
        response = await waits
        assert (response.status, response.result) == (Status.COMPLETED, "late: _client-tester late door/feed (1)")


@pytest.mark.usefixtures("both_placements")
async def test_what_was_handed_off_is_found_and_cancelled_where_it_is(tmp_path: Path) -> None:
    """One that runs at the next provider, and one that waits there."""
    async with live(tmp_path, NETWORK, inn=KITCHEN) as inn:
        for name in ("running", "waiting"):
            await inn.client.call("door/feed", f"slow {name}", mode="async", request_id=name)

            async def moved(name: str = name) -> bool:
                reports = {report.request_id: report for report in await inn.client.requests()}
                return name in reports and reports[name].provider == "kitchen"

            await eventually(moved, f"a report of {name} in the kitchen")

        async def runs() -> bool:
            reports = {report.request_id: report for report in await inn.client.requests()}
            return (reports["running"].state, reports["waiting"].state) == ("RUNNING", "QUEUED")

        await eventually(runs, "the states")
        for name in ("waiting", "running"):
            await inn.client.cancel(name)
            response = await inn.client.result(name)
            assert isinstance(response, WorkResponse)
            assert response.status is Status.CANCELLED


async def test_the_trace_has_a_span_for_each_who_had_it(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, inn=KITCHEN) as inn:
        await answered(inn, "door/enter", "Ann", request_id="r1")
        spans: dict[str, SpanReport] = {}
        tree: list[str] = []

        async def told() -> bool:
            with suppress(UsageProblem):  # events follow the answer after some milliseconds
                spans.update({span.span_id: span for span in (await inn.client.trace("r1")).spans})
            tree[:] = sorted(
                f"{spans[span.parent_id].name if span.parent_id else ''} > {span.name} {span.status}"
                for span in spans.values()
                if "/" in span.name
            )
            return len(tree) == 3 and not any("RUNNING" in line for line in tree)

        await eventually(told, "a trace of three")
        assert tree == [
            " > door/enter MOVED",
            "desk/greet > kitchen/cook COMPLETED",
            "door/enter > desk/greet MOVED",
        ]


@pytest.mark.usefixtures("both_placements")
async def test_the_last_one_delivers_what_the_first_was_asked_to_deliver(tmp_path: Path) -> None:
    async with live(tmp_path, NETWORK, inn=KITCHEN) as inn:
        response = await answered(inn, "door/enter", "Ann", delivery=DeliverySpec(method="topic", address="board"))
        assert response.provider == "kitchen"

        async def delivered() -> bool:
            return await arrived(inn) == {"inn.topic.board": [response]}

        await eventually(delivered, "the delivery")


async def test_without_a_record_nobody_speaks_for_another(tmp_path: Path) -> None:
    """The desk sends what it says the door had handed to it; nothing shows that the door ever did."""
    async with live(tmp_path, NETWORK, inn=KITCHEN) as inn:
        ground = inn.runner._ground
        forged = a_request("Ann", request_id="x1", caller="_client-tester", task="cook", chain=("door/x", "desk/greet"))
        assert await ground.desk.publish(forged, "kitchen", sender="desk", publication=1) is None

        async def refused() -> bool:
            record = (await ground.desk.read("desk", "x1")).record
            error = record.response.error if record and record.response else None
            return error is not None and error.code == "INVALID_REQUEST"

        await eventually(refused, "the refusal")
        assert (await ground.desk.read("_client-tester", "x1")).record is None
