"""What a client asks of a running network, over a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from runner import connect
from runner.bus import caller
from runner.client import offers
from runner.client.network import NetworkClient
from runner.errors import EnsembleNetworkError, NotRunning, UsageProblem
from runner.event import Event
from runner.reports import CatalogEntry, CatalogRequest
from runner.work import EnsembleState, Standing, Status, TaskAccepted, WorkResponse
from tests.support.networks import LONG_ENOUGH, LiveNetwork, eventually, live

NETWORK = """\
network: inn
tags: {food: meals, stock: counts}
ensembles:
  kitchen:
    tools: {count: {python: "inn:count", share: [food, stock]}}
    tasks:
      cook: {share: [food], steps: [{template: "cooked {{ context }}"}]}
      hold: {share: true, steps: [{python: "inn:hold"}]}
  pantry:
    tools: {count: {python: "inn:count_twice", share: [stock]}}
"""
MODULE = """\
import asyncio
from pathlib import Path


async def count(text: str) -> int:
    return len(text)


async def count_twice(text: str) -> int:
    return 2 * len(text)


async def hold(text: str) -> str:
    Path(__file__).with_name("begun").touch()
    while not Path(__file__).with_name("release").exists():
        await asyncio.sleep(0.01)
    return f"held {text}"
"""


@pytest.fixture
async def inn(tmp_path: Path) -> AsyncIterator[LiveNetwork]:
    async with live(tmp_path, NETWORK, inn=MODULE) as network:
        yield network


async def call(client: NetworkClient, target: str, context: Any = "soup", **terms: Any) -> WorkResponse:
    response = await client.call(target, context, **terms)
    assert isinstance(response, WorkResponse)
    return response


async def answered(client: NetworkClient, request_id: str) -> object:
    response = await client.result(request_id)
    assert isinstance(response, WorkResponse)
    return response.result


def release(inn: LiveNetwork) -> None:
    (inn.workspace.directory / "release").touch()


async def test_an_outcome_is_found_by_id_and_by_caller_and_id(inn: LiveNetwork) -> None:
    await call(inn.client, "kitchen/cook", request_id="r1")
    assert await answered(inn.client, "r1") == await answered(inn.client, "_client-tester/r1") == "cooked soup"


async def test_an_id_that_two_callers_used_is_refused_with_both_listed(inn: LiveNetwork) -> None:
    async with connect(inn.workspace.file, name="other") as other:
        await call(inn.client, "kitchen/cook", "soup", request_id="same")
        await call(other, "kitchen/cook", "fish", request_id="same")
        for client in (inn.client, other):
            for asked in (client.result("same"), client.cancel("same")):
                with pytest.raises(UsageProblem) as raised:
                    await asked
                assert raised.value.message == "several callers used the id same"
                assert raised.value.hint == "say _client-other/same or _client-tester/same"
            assert await answered(client, "_client-tester/same") == "cooked soup"
            assert await answered(client, "_client-other/same") == "cooked fish"


async def test_an_id_that_one_waits_with_and_another_is_done_with_is_refused_too(inn: LiveNetwork) -> None:
    async with connect(inn.workspace.file, name="other") as other:
        await call(other, "kitchen/cook", request_id="same")
        await inn.client.call("kitchen/hold", "x", mode="async", request_id="same")
        with pytest.raises(UsageProblem, match="several callers used the id same"):
            await inn.client.result("same")
        standing = await inn.client.result("_client-tester/same", wait=False)
        assert isinstance(standing, Standing)
        release(inn)
        assert await answered(inn.client, "_client-tester/same") == "held x"


@pytest.mark.parametrize("request_id", ["", "/", "a/b/c", "r1/", "/r1", "r.1", "*", ">", "Desk/r1", "x" * 129, "r 1"])
async def test_what_is_no_request_id_is_the_callers_mistake(inn: LiveNetwork, request_id: str) -> None:
    for asked in (inn.client.result(request_id), inn.client.cancel(request_id), inn.client.trace(request_id)):
        with pytest.raises(UsageProblem, match="is no request id"):
            await asked


async def test_waiting_for_a_result_has_the_bound_it_is_given(inn: LiveNetwork) -> None:
    accepted = await inn.client.call("kitchen/hold", "x", mode="async", request_id="r1")
    assert isinstance(accepted, TaskAccepted)
    for asked in (inn.client.result("r1", timeout=0.1), inn.client.result("r1", wait=False)):
        standing = await asked
        assert isinstance(standing, Standing)
        assert (standing.status, standing.state) == ("PENDING", "RUNNING")
    release(inn)
    assert await answered(inn.client, "r1") == "held x"


async def test_calls_go_to_whom_they_name_or_to_whoever_offers_and_carries_the_tags(inn: LiveNetwork) -> None:
    assert (await call(inn.client, "pantry/count")).result == 8
    assert (await call(inn.client, "count", tags=["stock"])).result == 4
    assert (await call(inn.client, "count", tags=["food"])).result == 4
    missing = await call(inn.client, "count", tags=["food", "repair"])
    assert missing.error is not None
    assert (missing.status, missing.error.code) == (Status.FAILED, "UNKNOWN_CAPABILITY")
    assert missing.error.message == "nobody shares count [food, repair]"


async def test_the_catalog_lists_what_carries_every_tag(inn: LiveNetwork) -> None:
    async def names(*tags: str) -> list[str]:
        return [f"{entry.provider}/{entry.name}" for entry in await inn.client.catalog(tags)]

    assert await names() == ["kitchen/cook", "kitchen/count", "kitchen/hold", "pantry/count"]
    assert await names("stock") == ["kitchen/count", "pantry/count"]
    assert await names("stock", "food") == ["kitchen/count"]
    assert await names("repair") == []


async def test_there_are_two_modes(inn: LiveNetwork) -> None:
    with pytest.raises(UsageProblem, match="there is no mode 'later'") as raised:
        await inn.client.call("kitchen/cook", mode="later")  # type: ignore[arg-type]
    assert raised.value.hint == "`await` or `async`"


async def test_following_events_tells_what_has_happened_and_what_happens_then_each_once(inn: LiveNetwork) -> None:
    for number in range(3):
        await call(inn.client, "kitchen/cook", request_id=f"before-{number}")
    await eventually(lambda: completed(inn.client, 3), "three completions")
    heard: list[Event] = []
    following = asyncio.ensure_future(follow(inn.client, heard))
    try:
        await eventually(lambda: len(ends(heard)) == 3, "what has happened")
        for number in range(3):
            await call(inn.client, "kitchen/cook", request_id=f"after-{number}")
        await eventually(lambda: len(ends(heard)) >= 6, "what happened then")
        assert ends(heard) == [f"{when}-{number}" for when in ("before", "after") for number in range(3)]
        steps = [event.kind for event in heard if event.request_id == "after-1"]
        assert steps == ["accepted", "started", "step", "completed"]
    finally:
        following.cancel()
        await asyncio.wait((following,))


async def follow(client: NetworkClient, heard: list[Event]) -> None:
    async for event in client.events(follow=True):
        heard.append(event)


def ends(events: list[Event]) -> list[str | None]:
    return [event.request_id for event in events if event.kind == "completed"]


async def completed(client: NetworkClient, count: int) -> bool:
    return len(ends([event async for event in client.events()])) == count


async def test_events_are_chosen_by_trace_request_and_ensemble(inn: LiveNetwork) -> None:
    await call(inn.client, "kitchen/cook", request_id="r1")
    await call(inn.client, "kitchen/cook", request_id="r2")
    await call(inn.client, "pantry/count", request_id="r3")

    async def told(**chosen: Any) -> set[str | None]:
        return {event.request_id async for event in inn.client.events(**chosen) if event.request_id}

    async def all_told() -> bool:
        return await told() == {"r1", "r2", "r3"} and await completed(inn.client, 3)

    await eventually(all_told, "three completions")
    trace = (await inn.client.trace("r2")).trace_id
    assert await told(request_id="r1") == {"r1"}
    assert await told(trace=trace) == {"r2"}
    assert await told(ensemble="kitchen") == {"r1", "r2"}
    assert await told(ensemble="kitchen", request_id="r3") == set()
    assert await told(ensemble="nobody") == set()


@pytest.mark.parametrize("chosen", [{"trace": "*"}, {"request_id": ">"}, {"ensemble": "a.b"}, {"request_id": ""}])
async def test_events_are_chosen_by_plain_names_only(inn: LiveNetwork, chosen: dict[str, Any]) -> None:
    with pytest.raises(UsageProblem, match=f"is no {next(iter(chosen)).replace('_', ' ')}"):
        async for _ in inn.client.events(**chosen):
            pass


async def test_a_trace_is_found_by_its_id_by_a_request_and_by_caller_and_request(inn: LiveNetwork) -> None:
    async with connect(inn.workspace.file, name="other") as other:
        await call(inn.client, "kitchen/cook", request_id="same")
        await call(other, "kitchen/cook", request_id="same")
        await eventually(lambda: completed(inn.client, 2), "two completions")
        mine, others = [await inn.client.trace(f"_client-{name}/same") for name in ("tester", "other")]
        assert mine.trace_id != others.trace_id
        assert await inn.client.trace(mine.trace_id) == mine
        assert [span.name for span in mine.spans] == ["kitchen/cook", "0"]


@dataclass
class Wire:
    """A way to the server that can be cut and mended. Whoever comes while it is cut is turned away, and counted."""

    port: int
    cut: bool = False
    turned_away: int = 0
    _ends: set[asyncio.StreamWriter] = field(default_factory=set)

    async def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.cut:
            self.turned_away += 1
            writer.close()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self.port)
        self._ends |= {writer, back}
        await asyncio.gather(carry(reader, back), carry(there, writer))

    async def sever(self) -> None:
        """Cut; the client has noticed when this returns."""
        self.cut, self.turned_away = True, 0
        while self._ends:
            self._ends.pop().transport.abort()
        await eventually(lambda: self.turned_away > 0, "an attempt to come back")

    def mend(self) -> None:
        self.cut = False


async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    target.close()


@asynccontextmanager
async def over_a_wire(inn: LiveNetwork) -> AsyncIterator[tuple[NetworkClient, Wire]]:
    """A client elsewhere, whose connection can be cut: the announcement beside its file names the wire's other end."""
    announced = json.loads((inn.workspace.state / "connection.json").read_text())
    [url] = announced["url"]
    wire = Wire(int(url.rpartition(":")[2]))
    server = await asyncio.start_server(wire.join, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    far = inn.workspace.directory / "far"
    (far / ".run-network").mkdir(parents=True)
    told = {**announced, "url": [f"nats://127.0.0.1:{port}"], "embedded": False}
    (far / ".run-network" / "connection.json").write_text(json.dumps(told))
    try:
        async with connect(far / "network.yaml", name="far") as client:
            yield client, wire
    finally:
        server.close()


async def test_an_answer_that_came_while_the_line_was_cut_is_asked_for_when_it_is_mended(inn: LiveNetwork) -> None:
    async with over_a_wire(inn) as (far, wire):
        waiting = asyncio.ensure_future(call(far, "kitchen/hold", "x", request_id="r1"))
        await eventually((inn.workspace.directory / "begun").exists, "the beginning")
        await wire.sever()
        release(inn)
        assert await answered(inn.client, "_client-far/r1") == "held x", "recorded, and told to nobody"
        assert not waiting.done()
        wire.mend()
        async with asyncio.timeout(10):
            assert (await waiting).result == "held x"


async def test_a_task_that_is_sent_while_the_line_is_cut_is_done_once(inn: LiveNetwork) -> None:
    async with over_a_wire(inn) as (far, wire):
        assert (await call(far, "kitchen/cook", "one")).result == "cooked one"
        await wire.sever()
        waiting = asyncio.ensure_future(call(far, "kitchen/cook", "two", request_id="r2"))
        await asyncio.sleep(0)
        assert not waiting.done()
        wire.mend()
        assert (await waiting).result == "cooked two"
        [report] = [report for report in await inn.client.requests() if report.request_id == "r2"]
        assert (report.status, report.caller) == ("COMPLETED", "_client-far")


async def test_while_the_line_stays_cut_every_question_and_call_ends_with_a_clear_error(inn: LiveNetwork) -> None:
    """Not with the transport's own exceptions, whose names mean nothing to a caller."""
    async with over_a_wire(inn) as (far, wire):
        await far.catalog()
        await wire.sever()
        questions = {
            "status": far.status(),
            "catalog": far.catalog(),
            "requests": far.requests(),
            "result": far.result("r1"),
            "cancel": far.cancel("_client-far/r1"),
            "task": ended(far, "kitchen/cook"),
            "tool": ended(far, "kitchen/count"),
        }
        async with asyncio.timeout(60):
            answers = await asyncio.gather(*map(code, questions.values()))
        told = dict(zip(questions, answers, strict=True))
        assert told.pop("task") in ("UNAVAILABLE", "DEADLINE_EXCEEDED")
        assert told.pop("tool") in ("UNAVAILABLE", "DEADLINE_EXCEEDED")
        assert told == dict.fromkeys(told, "not-running")


async def test_who_begins_to_listen_while_the_line_is_cut_hears_of_changes_once_it_is_mended(
    inn: LiveNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offers, "LOAD_SECONDS", 0.0)
    async with over_a_wire(inn) as (far, wire):
        assert (await call(far, "count")).result == 4
        await wire.sever()
        async with asyncio.timeout(60):
            assert await code(ended(far, "count")) == "not-running"
        wire.mend()

        async def hears() -> bool:
            with suppress(EnsembleNetworkError):
                await call(far, "count")
            return far._offers._is_unchanged(far._offers._latest("count"))

        await eventually(hears, "it hears that nothing changes")


async def test_while_the_line_stays_cut_reading_events_ends_with_a_clear_error(inn: LiveNetwork) -> None:
    async with over_a_wire(inn) as (far, wire):
        await far.catalog()
        await wire.sever()
        async with asyncio.timeout(60):
            told = await asyncio.gather(code(kinds(far)), code(far.trace("r1")))
        assert set(told) == {"not-running"}


async def code(question: Awaitable[object]) -> str:
    """The code of what a question raises."""
    try:
        return f"answered {await question}"
    except EnsembleNetworkError as error:
        return error.code


async def ended(client: NetworkClient, target: str) -> None:
    """Raise what a call ends with."""
    error = (await call(client, target, deadline=1)).error
    assert error is not None
    raise EnsembleNetworkError(error.message, code=error.code)


async def kinds(client: NetworkClient) -> list[str]:
    return [event.kind async for event in client.events()]


async def test_who_waits_for_a_task_that_nobody_claims_is_told_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caller, "CLAIM_SECONDS", 0.1)
    heard: list[Standing] = []
    async with live(tmp_path, NETWORK, without=frozenset({"kitchen"}), inn=MODULE) as inn:
        for deadline in LONG_ENOUGH:
            response = await call(inn.client, "kitchen/hold", deadline=deadline, on_unclaimed=heard.append)
            if heard:
                break
        [standing] = heard
        assert (standing.request_id, standing.state, standing.provider) == (response.request_id, "HELD", "kitchen")
        assert standing.provider_state is EnsembleState.STOPPED
        assert response.error is not None
        assert response.error.code == "DEADLINE_EXCEEDED"
        assert "may still complete" not in (response.error.hint or "")


async def test_who_waits_for_a_task_that_is_claimed_is_told_nothing_of_the_kind(
    inn: LiveNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = asyncio.ensure_future(call(inn.client, "kitchen/hold", request_id="h1"))
    await eventually((inn.workspace.directory / "begun").exists, "the claim")
    monkeypatch.setattr(caller, "CLAIM_SECONDS", 0.1)
    heard: list[Standing] = []
    response = await call(inn.client, "kitchen/hold", request_id="h1", deadline=1, on_unclaimed=heard.append)
    assert (response.status, heard) == (Status.EXPIRED, [])
    release(inn)
    assert (await first).status is Status.COMPLETED


async def test_a_client_that_goes_on_calling_reads_what_it_needs_and_only_when_that_changes(
    inn: LiveNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offers, "LOAD_SECONDS", 0.0)
    read: list[str | None] = []
    ask = inn.client._offers._read

    async def counted(wanted: CatalogRequest) -> tuple[CatalogEntry, ...]:
        read.append(wanted.name)
        return await ask(wanted)

    monkeypatch.setattr(inn.client._offers, "_read", counted)

    async def counted_soup() -> object:
        response = await inn.client.call("count", "soup")
        assert isinstance(response, WorkResponse)
        return response.result

    async def twenty_calls_read_nothing() -> bool:
        before = len(read)
        for _ in range(20):
            assert await counted_soup() == 4
        return len(read) == before

    await eventually(twenty_calls_read_nothing, "it hears that nothing changes")
    assert set(read) == {"count"}, "never the whole catalog"
    await inn.client.drain("kitchen")

    async def goes_elsewhere() -> bool:
        return await counted_soup() == 8

    await eventually(goes_elsewhere, "it heard of the change")


async def test_who_is_called_by_name_is_known_after_a_lost_line_where_no_runner_is_there_to_ask(
    inn: LiveNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue takes the task all the same."""
    assert (await call(inn.client, "kitchen/cook")).status is Status.COMPLETED
    asked: list[CatalogRequest] = []

    async def none_answers(wanted: CatalogRequest) -> tuple[CatalogEntry, ...]:
        asked.append(wanted)
        raise NotRunning

    monkeypatch.setattr(inn.client._offers, "_read", none_answers)
    await inn.client.reattach()
    assert (await call(inn.client, "kitchen/cook")).status is Status.COMPLETED
    assert asked == []
