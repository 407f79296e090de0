"""What an ensemble may do on the server, tried with its own credentials."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats import connect as nats_connect

from runner.state import State
from tests.support.intruders import intruder
from tests.support.networks import LiveNetwork, live

NETWORK = """\
network: inn
ensembles:
  desk:
    uses: {count: kitchen/count, cook: kitchen/cook}
  kitchen:
    tools: {count: {python: "inn:count", share: true}, hidden: {python: "inn:count", share: true}}
    tasks: {cook: {share: true, steps: [{tool: count}]}}
  spa:
    tasks: {relax: {share: true, steps: [{template: ah}]}}
"""
MODULE = "async def count(text: str) -> str:\n    return text\n"


@pytest.fixture
async def inn(tmp_path: Path) -> AsyncIterator[LiveNetwork]:
    async with live(tmp_path, NETWORK, inn=MODULE) as network:
        yield network


@pytest.mark.parametrize(
    "subject",
    [
        "inn.tool.desk.kitchen.hidden",  # a tool it is not wired to
        "inn.work.desk.spa.normal.relax",  # a task it is not wired to
        "inn.tool.kitchen.kitchen.count",  # another caller's name
        "inn.reply.spa.kitchen.r1",  # somebody else's answer
        "inn.event.kitchen.completed.t.r",  # somebody else's event
        "inn.result.spa.r1",  # somebody else's outcome
        "inn.lost.spa",  # for somebody else's calls
        "inn.control._runners.stop",
        "$KV.inn_results.desk.r1",  # a record
        "inn.queue.orders",  # a delivery: only the runner makes one
        "inn.topic.orders",
        "$KV.inn_deliveries.board",
        "$O.inn_payloads.C.mine",  # an object: the runner puts it there
        "$O.inn_payloads.M.mine",
        "$JS.API.DIRECT.GET.OBJ_inn_payloads",
        "$JS.API.STREAM.INFO.inn_work_kitchen",
        "$JS.API.STREAM.PURGE.inn_work_kitchen",
        "$JS.API.STREAM.CREATE.mine",
        "$JS.API.CONSUMER.CREATE.inn_work_kitchen.mine",
        "$JS.API.CONSUMER.MSG.NEXT.inn_work_kitchen.normal",  # another ensemble's queue
        "$JS.API.DIRECT.GET.KV_inn_results",
    ],
)
async def test_what_an_ensemble_is_not_wired_to_the_server_refuses(inn: LiveNetwork, subject: str):
    desk = await intruder(inn, "desk")
    try:
        await desk.connection.publish(subject, b"{}")
        await desk.settle()
        assert [refusal for refusal in desk.refusals if subject.lower() in refusal.lower()], desk.refusals
    finally:
        await desk.connection.close()


@pytest.mark.parametrize("subject", ["_INBOX_kitchen.>", "inn.reply.spa.>", "inn.work.*.kitchen.>", ">", "$KV.>"])
async def test_an_ensemble_reads_nobody_elses_messages(inn: LiveNetwork, subject: str):
    desk = await intruder(inn, "desk")
    try:
        await desk.connection.subscribe(subject)
        await desk.settle()
        assert desk.refusals
    finally:
        await desk.connection.close()


async def test_what_it_is_wired_to_it_may_call(inn: LiveNetwork):
    desk = await intruder(inn, "desk")
    try:
        await desk.connection.publish("inn.tool.desk.kitchen.count", b"{}", reply="_INBOX_desk.x")
        await desk.connection.publish("inn.work.desk.kitchen.normal.cook", b"{}")
        await desk.settle()
        assert desk.refusals == []
    finally:
        await desk.connection.close()


async def test_a_reply_to_somebody_elses_inbox_is_dropped_by_the_provider(inn: LiveNetwork):
    """The server does not check reply subjects, so the provider must."""
    desk, spa = await intruder(inn, "desk"), await intruder(inn, "spa")
    try:
        heard = await spa.connection.subscribe("_INBOX_spa.>")
        await spa.settle()
        await desk.connection.publish("inn.tool.desk.kitchen.count", b"{}", reply="_INBOX_spa.x")
        answer = await desk.connection.request("inn.tool.desk.kitchen.count", b"{}", timeout=30)
        assert b"INVALID_REQUEST" in answer.data
        await spa.settle()
        assert heard.pending_msgs == 0
    finally:
        await desk.connection.close()
        await spa.connection.close()


async def test_a_fallback_may_be_asked(tmp_path: Path):
    text = NETWORK.replace("cook: kitchen/cook}", "cook: {to: kitchen/cook, fallback: spa/relax}}", 1)
    async with live(tmp_path, text, inn=MODULE) as network:
        desk = await intruder(network, "desk")
        try:
            await desk.connection.publish("inn.work.desk.spa.normal.relax", b"{}")
            await desk.settle()
            assert desk.refusals == []
        finally:
            await desk.connection.close()


@pytest.mark.parametrize(
    "subject",
    [
        "$KV.inn_results._cli.r1",  # a record
        "$KV.inn_deliveries.board",
        "$O.inn_other.C.mine",
        "$JS.API.STREAM.PURGE.KV_inn_results",
        "$JS.API.STREAM.UPDATE.OBJ_inn_payloads",
        "$JS.API.STREAM.DELETE.OBJ_inn_payloads",
        "$JS.API.STREAM.MSG.DELETE.OBJ_inn_payloads",
        "$JS.API.CONSUMER.CREATE.inn_work_kitchen.mine",
        "inn.queue.orders",
    ],
)
async def test_the_operator_puts_documents_away_and_writes_no_other_state(inn: LiveNetwork, subject: str):
    refusals: list[str] = []

    async def on_error(problem: Exception) -> None:
        refusals.append(str(problem))

    running = State(inn.workspace.state).running()
    assert running is not None
    operator = await nats_connect(list(running.url), nkeys_seed_str=running.credentials, error_cb=on_error)
    try:
        store = await operator.jetstream().object_store("inn_payloads")
        for text in (b"soup", b"stew"):
            await store.put("menu", text)
        assert (await store.get("menu")).data == b"stew"
        assert [one.name for one in await store.list()] == ["menu"]
        await store.delete("menu")
        assert refusals == []
        await operator.publish(subject, b"{}")
        await operator.flush()
        await operator.flush()
        assert [refusal for refusal in refusals if subject.lower() in refusal.lower()], refusals
    finally:
        await operator.close()
