"""FAULTS 16: a payload over the limit. An early, clear error; nothing half sent, and the network goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from nats import connect as nats_connect
from nats.aio.msg import Msg

from runner.bus.keys import key_in
from runner.state import State
from runner.work import Code, Status, WorkResponse
from tests.support.networks import LiveNetwork, live

LIMIT = 1_000_000
NETWORK = f"""\
network: inn
defaults: {{max_payload: {LIMIT}}}
ensembles:
  desk:
    uses: {{taste: kitchen/taste, cook: kitchen/cook}}
    tools: {{double: {{python: "inn:double"}}}}
    tasks:
      ask-tool: {{share: true, steps: [{{id: much, tool: double}}, {{use: taste, input: "{{{{ steps.much }}}}"}}]}}
      ask-task: {{share: true, steps: [{{id: much, tool: double}}, {{use: cook, input: "{{{{ steps.much }}}}"}}]}}
  kitchen:
    tools: {{taste: {{python: "inn:taste", share: true}}}}
    tasks: {{cook: {{share: true, steps: [{{python: "inn:taste"}}]}}}}
"""
MODULE = """\
from pathlib import Path

here = Path(__file__).parent


async def taste(text: str) -> int:
    with (here / "tasted").open("a") as stream:
        stream.write("x")
    return len(text)


async def double(text: str) -> str:
    return text * 2
"""


@asynccontextmanager
async def wire(inn: LiveNetwork) -> AsyncIterator[list[str]]:
    """The subjects on which a request, an object or a record goes over the wire."""
    state = State(inn.workspace.state)
    running = state.running()
    assert running is not None
    connection = await nats_connect(list(running.url), nkeys_seed_str=key_in(state.keys / "runner.nk").seed)
    heard: list[str] = []

    async def hear(message: Msg) -> None:
        heard.append(message.subject)

    for subject in ("inn.tool.>", "inn.work.>", "$O.>", "$KV.inn_results.>"):
        await connection.subscribe(subject, cb=hear)
    await connection.flush()
    await connection.flush()
    yield heard
    await connection.close()


async def call(inn: LiveNetwork, target: str, context: str) -> WorkResponse:
    response = await inn.client.call(target, context)
    assert isinstance(response, WorkResponse)
    return response


@pytest.mark.parametrize("target", ["kitchen/taste", "kitchen/cook"])
async def test_a_context_over_the_limit_is_refused_and_nothing_of_it_goes_over_the_wire(
    tmp_path: Path, target: str
) -> None:
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        await inn.client.catalog()
        async with wire(inn) as heard:
            refused = await call(inn, target, "x" * LIMIT)
            assert refused.error is not None
            assert (refused.status, refused.error.code) == (Status.REJECTED, Code.PAYLOAD_TOO_LARGE)
            assert "1,000,002 bytes" in refused.error.message
            assert heard == []
        assert await inn.client.requests() == ()
        assert not (tmp_path / "tasted").exists()
        assert (await call(inn, target, "x" * 10)).result == 10


@pytest.mark.parametrize("target", ["desk/ask-tool", "desk/ask-task"])
async def test_what_grows_over_the_limit_on_its_way_fails_where_it_grew(tmp_path: Path, target: str) -> None:
    """The next ensemble is asked nothing, and the caller learns the code."""
    async with live(tmp_path, NETWORK, inn=MODULE) as inn:
        failed = await call(inn, target, "x" * (LIMIT * 2 // 3))
        assert failed.error is not None
        assert (failed.status, failed.error.code) == (Status.FAILED, Code.PAYLOAD_TOO_LARGE)
        assert not (tmp_path / "tasted").exists()
        assert (await call(inn, target, "x" * 10)).result == 20
