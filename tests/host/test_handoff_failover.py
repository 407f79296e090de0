"""A hand-off whose next provider has no room goes to the one after it, and is done once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runner.host.attempts import passed_on, passed_over, recorded
from runner.work import Attempt, Status, WorkResponse
from tests.support.assignments import a_request
from tests.support.handoffs import KITCHEN, dying
from tests.support.networks import LiveNetwork, eventually, live


def network(use: str) -> str:
    """A desk that hands off through one use, before two kitchens that take one task each, and a tavern."""
    kitchen = """\
    capacity: {max_concurrent: 1, queue_limit: 1, backpressure: 1000}
    tasks: {cook: {share: [food], steps: [{python: "inn:cook"}]}}
"""
    return f"""\
network: inn
ensembles:
  desk:
    uses: {{meal: {use}}}
    tasks: {{greet: {{share: true, steps: [{{id: name, template: "dear {{{{ context }}}}"}}, {{handoff: meal}}]}}}}
  annex:
{kitchen}  kitchen:
{kitchen}  tavern:
    tasks: {{cook: {{share: [rest], steps: [{{python: "inn:cook"}}]}}}}
"""


FOOD = "{tags: [food]}"


async def handed(inn: LiveNetwork, **given: Any) -> WorkResponse:
    response = await inn.client.call("desk/greet", "Ann", request_id="r1", deadline=60, **given)
    assert isinstance(response, WorkResponse)
    assert await inn.client.result("r1") == response
    return response


@asynccontextmanager
async def full(inn: LiveNetwork, *kitchens: str) -> AsyncIterator[None]:
    """Each works on all that it takes; it is called off in the end, for its runner would wait for it to be done."""
    for name in kitchens:
        await inn.client.call(f"{name}/cook", "slow", mode="async", request_id=f"slow-{name}")
    try:
        yield
    finally:
        for name in kitchens:
            await inn.client.cancel(f"slow-{name}")


async def told(inn: LiveNetwork) -> list[str | None]:
    return [e.message async for e in inn.client.events(request_id="r1") if e.kind in ("DELEGATION_FAILED", "moved")]


@pytest.mark.usefixtures("both_placements")
async def test_who_has_no_room_is_followed_by_the_next(tmp_path: Path) -> None:
    async with live(tmp_path, network(FOOD), inn=KITCHEN) as inn:
        async with full(inn, "annex"):
            response = await handed(inn)
            assert (response.status, response.provider) == (Status.COMPLETED, "kitchen")
            assert response.result == "Ann: _client-tester r1 desk/greet (1)"
            story = [
                "annex/cook did not take it (QUEUE_FULL): kitchen/cook is handed it",
                "handed off to kitchen/cook",
            ]

        async def has_been_told() -> bool:
            return await told(inn) == story

        await eventually(has_been_told, "its events")


@pytest.mark.usefixtures("both_placements")
async def test_where_all_are_full_the_fallback_is_handed_it(tmp_path: Path) -> None:
    files = network("{tags: [food], fallback: tavern/cook}")
    async with live(tmp_path, files, inn=KITCHEN) as inn, full(inn, "annex", "kitchen"):
        response = await handed(inn)
        assert (response.status, response.provider) == (Status.COMPLETED, "tavern")


async def test_a_named_provider_that_is_full_or_a_need_that_nobody_meets_leads_to_the_fallback(tmp_path: Path) -> None:
    named = network("{to: annex/cook, fallback: tavern/cook}")
    async with live(tmp_path / "named", named, inn=KITCHEN) as inn, full(inn, "annex"):
        assert (await handed(inn)).provider == "tavern"
    async with live(tmp_path / "unmet", network("{tags: [gone], fallback: tavern/cook}"), inn=KITCHEN) as inn:
        assert (await handed(inn)).provider == "tavern"


@pytest.mark.usefixtures("both_placements")
async def test_where_nobody_has_room_it_fails_here_and_names_everybody_who_was_asked(tmp_path: Path) -> None:
    async with live(tmp_path, network(FOOD), inn=KITCHEN) as inn, full(inn, "annex", "kitchen"):
        response = await handed(inn)
        assert response.error is not None
        assert (response.status, response.error.code, response.provider) == (Status.FAILED, "QUEUE_FULL", "desk")
        assert response.error.message == (
            "the queue of kitchen is full; asked were annex/cook (QUEUE_FULL), kitchen/cook (QUEUE_FULL)"
        )
        assert response.partial == {"name": "dear Ann"}


@pytest.mark.parametrize("handing", [1, 2])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("method", ["record", "publish"])
async def test_wherever_it_is_killed_on_the_way_to_the_next_nothing_is_lost_and_nothing_done_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, after: bool, handing: int
) -> None:
    async with live(tmp_path, network(FOOD), inn=KITCHEN) as inn, full(inn, "annex"):
        with dying(monkeypatch, method, after=after, handing=handing) as deaths:
            response = await handed(inn)
        assert len(deaths) == 1
        assert (response.status, response.provider) == (Status.COMPLETED, "kitchen")
        assert response.result == "Ann: _client-tester r1 desk/greet (1)"


async def test_what_was_handed_off_is_sent_again_where_what_its_key_goes_by_is_not_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long context came by reference, and is not fetched for it."""
    use = "{tags: [food], select: affinity, key: '{{ context.table }}'}"
    files = network(use).replace('{python: "inn:cook"}', "{template: Done.}").replace("dear {{ context }}", "dear")
    async with live(tmp_path, files, inn=KITCHEN) as inn:
        with dying(monkeypatch, "publish", after=False) as deaths:
            long = {"table": "seven", "wishes": "salt " * 400_000}
            response = await inn.client.call("desk/greet", long, deadline=60)
        assert isinstance(response, WorkResponse)
        assert len(deaths) == 1, response.error
        assert (response.status, response.result) == (Status.COMPLETED, "Done."), response.error


def test_the_history_says_who_got_it_and_not_who_was_asked_first() -> None:
    request = a_request()
    attempt = Attempt(number=1, runner="r", provider="desk", started_at=request.submitted_at)
    begun = recorded(request, request.caller, "desk", None, attempt)
    first = passed_on(begun, "annex", request.model_copy(update={"task": "cook"}))
    second = passed_over(first, "kitchen", request.model_copy(update={"task": "roast"}))
    assert (second.epoch, second.provider, second.task, second.attempts) == (2, "kitchen", "roast", 0)
    assert [one.ended for one in second.history] == ["handed off to kitchen/roast"]
