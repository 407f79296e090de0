"""`dedupe: content`: of several requests with the same content one is worked on, and each has its own outcome."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from runner.errors import UsageProblem
from runner.host.contents import content_of
from runner.work import Authority, CachePolicy, Dedupe, Status, WorkResponse
from tests.support.networks import LiveNetwork, eventually, live
from tests.support.records import CALLER, a_record, a_request, ledgers

NETWORK = """\
network: inn
ensembles:
  desk:
    uses: {order: {to: kitchen/hold, dedupe: content}}
    tasks:
      twice: {share: true, steps: [{id: one, use: order, input: egg}, {use: order, input: egg}]}
  kitchen:
    capacity: {max_concurrent: 1}
    tasks:
      note: {share: true, steps: [{python: "inn:note"}]}
      once: {share: true, dedupe: content, steps: [{python: "inn:note"}]}
      hold: {share: true, steps: [{python: "inn:hold"}]}
      burn: {share: true, dedupe: content, steps: [{python: "inn:burn"}]}
"""
MODULE = """\
import asyncio
from pathlib import Path

here = Path(__file__).parent


async def note(text: str) -> str:
    with (here / "effects").open("a") as stream:
        stream.write(text + "\\n")
    return f"{text}!"


async def hold(text: str) -> str:
    await note(text)
    while not (here / "release").exists():
        await asyncio.sleep(0.01)
    return f"{text}!"


async def burn(text: str) -> str:
    await note(text)
    if not (here / "release").exists():
        raise ValueError("burnt")
    return text
"""


async def call(inn: LiveNetwork, target: str, context: object, **terms: object) -> WorkResponse:
    response = await inn.client.call(target, context, **{"deadline": 30, **terms})
    assert isinstance(response, WorkResponse)
    return response


def effects(inn: LiveNetwork) -> list[str]:
    path = inn.workspace.directory / "effects"
    return path.read_text().splitlines() if path.exists() else []


def release(inn: LiveNetwork) -> None:
    (inn.workspace.directory / "release").touch()


async def test_the_same_content_under_another_id_gets_the_result_of_the_first_and_a_record_of_its_own(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn, ledgers(inn) as books:
        first = await call(inn, "kitchen/note", "egg", request_id="a", dedupe="content")
        second = await call(inn, "kitchen/note", "egg", request_id="b", dedupe="content")
        assert (first.request_id, first.result) == ("a", "egg!")
        assert (second.request_id, second.status, second.result) == ("b", Status.COMPLETED, "egg!")
        assert effects(inn) == ["egg"]
        record = await books.record("b")
        assert record is not None
        assert (record.attempts, record.response) == (0, second)
        await eventually(lambda: joined(inn), "the event")


async def joined(inn: LiveNetwork) -> bool:
    told = [(e.kind, e.message) async for e in inn.client.events(request_id="b")]
    return ("joined", f"the same as {CALLER}/a") in told


async def test_what_is_large_is_the_same_by_its_content_and_each_outcome_has_a_result_of_its_own(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn, ledgers(inn) as books:
        egg = "egg" * 300_000
        for name in ("a", "b"):
            assert (await call(inn, "kitchen/note", egg, request_id=name, dedupe="content")).result == f"{egg}!"
        assert len(effects(inn)) == 1
        results = []
        for name in ("a", "b"):
            record = await books.record(name)
            assert record is not None
            assert record.response is not None
            results.append(record.response.result)
        assert [list(result) for result in results] == [["$payload"], ["$payload"]]
        assert results[0] != results[1]
        await call(inn, "kitchen/note", "egg" * 300_001, dedupe="content")
        assert len(effects(inn)) == 2


async def test_a_named_document_is_not_taken_for_the_one_that_stood_there_before(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        for dish in (b"egg", b"ham"):
            await inn.client.upload(dish, name="dish")
            await call(inn, "kitchen/note", {"$payload": {"object": "dish"}}, dedupe="content")
        assert effects(inn) == ["egg", "ham"]


async def test_what_differs_or_does_not_ask_for_it_is_worked_on(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        await call(inn, "kitchen/note", "egg", dedupe="content")
        await call(inn, "kitchen/note", "ham", dedupe="content")
        await call(inn, "kitchen/note", "egg")
        await call(inn, "kitchen/once", "egg")
        await call(inn, "kitchen/once", "egg")
        assert effects(inn) == ["egg", "ham", "egg", "egg"]


async def test_what_is_the_same_joins_while_the_first_is_at_work_and_takes_no_slot(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        calls = [
            asyncio.ensure_future(call(inn, "kitchen/hold", "egg", request_id=name, dedupe="content")) for name in "abc"
        ]
        await eventually(lambda: effects(inn) == ["egg"], "the first at work")
        release(inn)
        outcomes = await asyncio.gather(*calls)
        assert [(one.request_id, one.result) for one in outcomes] == [("a", "egg!"), ("b", "egg!"), ("c", "egg!")]
        assert effects(inn) == ["egg"]


async def test_a_use_that_says_so_asks_once(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        release(inn)
        assert (await call(inn, "desk/twice", "")).result == "egg!"
        assert effects(inn) == ["egg"]


async def test_after_a_failure_the_next_works_itself_and_takes_the_place_of_the_first(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        assert (await call(inn, "kitchen/burn", "egg")).status is Status.FAILED
        release(inn)
        assert (await call(inn, "kitchen/burn", "egg")).status is Status.COMPLETED
        assert (await call(inn, "kitchen/burn", "egg")).status is Status.COMPLETED
        assert effects(inn) == ["egg", "egg"]


async def test_when_the_first_is_cancelled_one_of_those_who_joined_works(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        first = asyncio.ensure_future(call(inn, "kitchen/hold", "egg", request_id="a", dedupe="content"))
        await eventually(lambda: effects(inn) == ["egg"], "the first at work")
        second = asyncio.ensure_future(call(inn, "kitchen/hold", "egg", request_id="b", dedupe="content"))
        await eventually(lambda: pending_is(inn, 2), "the second in the queue")
        await inn.client.cancel("a")
        assert (await first).status is Status.CANCELLED
        await eventually(lambda: effects(inn) == ["egg", "egg"], "the second at work")
        release(inn)
        assert (await second).result == "egg!"


async def pending_is(inn: LiveNetwork, count: int) -> bool:
    return len(await inn.client.requests("PENDING")) == count


async def test_one_who_joined_can_be_cancelled_and_expires_alone(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE.replace("await note(text)\n    while", "while")) as inn:
        (inn.workspace.directory / "release").unlink(missing_ok=True)
        held = asyncio.ensure_future(call(inn, "kitchen/hold", "egg", request_id="a", dedupe="content"))
        await eventually(lambda: pending_is(inn, 1), "the first")
        late = await call(inn, "kitchen/hold", "egg", request_id="b", dedupe="content", deadline=0.3)
        assert late.status is Status.EXPIRED
        release(inn)
        assert (await held).status is Status.COMPLETED


async def test_a_key_whose_first_nobody_knows_is_taken_over(tmp_path: Path):
    """The runner died between the key and the work, or the record of the first has expired."""
    async with live(tmp_path, NETWORK, inn=MODULE) as inn, ledgers(inn) as books:
        request = a_request("a", "note", "egg", dedupe=Dedupe.CONTENT)
        key = f"{CALLER}.{content_of(request, 'kitchen/note')}"
        assert await books.bucket("contents").put_if(key, b"gone", 0)
        assert (await call(inn, "kitchen/note", "egg", request_id="a", dedupe="content")).result == "egg!"
        entry = await books.bucket("contents").get(key)
        assert entry is not None
        assert entry.value == b"a"


async def test_a_first_that_comes_again_is_worked_on_and_does_not_wait_for_itself(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn, ledgers(inn) as books:
        request = a_request("a", "note", "egg", dedupe=Dedupe.CONTENT)
        key = f"{CALLER}.{content_of(request, 'kitchen/note')}"
        assert await books.bucket("contents").put_if(key, b"a", 0)
        await books.write(a_record("a", "note", "kitchen", attempts=1, submitted_at=request.submitted_at))
        assert await books.publish(request, "kitchen", publication=1) is None
        await eventually(lambda: effects(inn) == ["egg"], "the work")


async def test_fresh_work_joins_nothing(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn, ledgers(inn) as books:
        await call(inn, "kitchen/once", "egg")
        fresh = a_request("b", "once", "egg", cache_policy=CachePolicy.FORCE_FRESH)
        assert await books.publish(fresh, "kitchen") is None
        await eventually(lambda: effects(inn) == ["egg", "egg"], "the fresh work")


async def test_there_is_no_other_way_to_be_the_same(tmp_path: Path):
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        with pytest.raises(UsageProblem, match="there is no dedupe 'id'"):
            await inn.client.call("kitchen/note", "egg", dedupe="id")


def test_what_is_the_same_is_capability_context_and_authority_in_any_order_of_keys():
    one = a_request("a", "note", {"dish": "egg", "room": 4})
    assert content_of(one, "kitchen/note") == content_of(
        a_request("b", "note", {"room": 4, "dish": "egg"}), "kitchen/note"
    )
    later = one.model_copy(update={"submitted_at": one.submitted_at + timedelta(hours=1)})
    assert content_of(one, "kitchen/note") == content_of(later, "kitchen/note")
    others = [
        content_of(one, "pantry/note"),
        content_of(a_request("c", "note", {"dish": "egg", "room": 5}), "kitchen/note"),
        content_of(a_request("d", "note", {"dish": "egg", "room": 4}, authority=Authority.SUPERVISED), "kitchen/note"),
    ]
    assert content_of(one, "kitchen/note") not in others
