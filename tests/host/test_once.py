"""One request, published twice: on two runners, after a restart, and when its outcome is kept no longer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from runner.bus.connection import connect
from runner.host.runner import running
from runner.subjects import Subjects
from runner.work import WorkResponse
from tests.support.networks import LiveNetwork, eventually, live
from tests.support.records import Ledgers, a_request
from tests.support.servers import plain_server

NETWORK = """\
network: inn
ensembles:
  kitchen:
    capacity: {max_concurrent: 1}
    tasks: {cook: {share: true, steps: [{python: "inn:cook"}]}}
"""
MODULE = """\
import asyncio
from pathlib import Path

here = Path(__file__).parent


async def cook(text: str) -> str:
    with (here / "begun").open("a") as stream:
        stream.write(text + "\\n")
    while not (here / "release").exists():
        await asyncio.sleep(0.01)
    return f"{text}!"
"""


def begun(directory: Path) -> list[str]:
    path = directory / "begun"
    return path.read_text().splitlines() if path.exists() else []


@asynccontextmanager
async def books_at(url: str) -> AsyncIterator[Ledgers]:
    connection = await connect((url,), caller="_runner", credentials=None)
    try:
        yield Ledgers(connection, Subjects("inn"))
    finally:
        await connection.close()


async def depth(books: Ledgers) -> int:
    found = await books.connection.jetstream().stream_info("inn_work_kitchen")
    return int(found.state.messages)


async def is_empty(books: Ledgers) -> bool:
    return await depth(books) == 0


async def cooked(inn: LiveNetwork, text: str, **terms: object) -> WorkResponse:
    response = await inn.client.call("kitchen/cook", text, **{"request_id": "soup", "deadline": 60, **terms})
    assert isinstance(response, WorkResponse)
    return response


async def test_a_second_publication_joins_what_another_runner_works_on(tmp_path: Path) -> None:
    """The one that works on it has no slot left, so the other runner is given them, and does not start it again."""
    async with (
        plain_server(tmp_path) as url,
        live(tmp_path, NETWORK, nats=url, inn=MODULE) as inn,
        running(inn.network, inn.workspace, nats=url),
        books_at(url) as books,
    ):
        soup = asyncio.ensure_future(cooked(inn, "soup"))
        await eventually(lambda: begun(tmp_path) == ["soup"], "a dish on the stove")
        for publication in range(1, 9):
            assert await books.publish(a_request("soup", "cook", "soup"), "kitchen", publication) is None
        await eventually(lambda: taken(books), "every message in somebody's hands")
        assert begun(tmp_path) == ["soup"]
        (tmp_path / "release").touch()
        assert (await soup).result == "soup!"
        assert await books.publish(a_request("soup", "cook", "soup"), "kitchen", 9) is None
        await eventually(lambda: is_empty(books), "an empty queue")
        assert begun(tmp_path) == ["soup"]


async def taken(books: Ledgers) -> bool:
    found = await books.connection.jetstream().consumer_info("inn_work_kitchen", "normal")
    return found.num_pending == 0


async def test_the_outcome_answers_a_repeat_after_a_restart_on_another_runner(tmp_path: Path) -> None:
    (tmp_path / "release").touch()
    async with plain_server(tmp_path) as url, books_at(url) as books:
        async with live(tmp_path, NETWORK, nats=url, inn=MODULE) as inn:
            first = await cooked(inn, "soup")
        async with live(tmp_path, NETWORK, nats=url, inn=MODULE) as inn:
            assert await cooked(inn, "something else") == first
            assert await books.publish(a_request("soup", "cook", "soup"), "kitchen", 1) is None
            await eventually(lambda: is_empty(books), "an empty queue")
            assert begun(tmp_path) == ["soup"]


async def test_a_repeat_joins_what_waits_while_nobody_is_up(tmp_path: Path) -> None:
    async with plain_server(tmp_path) as url, books_at(url) as books:
        async with live(tmp_path, NETWORK, nats=url, inn=MODULE):
            pass
        for publication in range(3):
            assert await books.publish(a_request("soup", "cook", "soup"), "kitchen", publication) is None
        async with live(tmp_path, NETWORK, nats=url, inn=MODULE) as inn:
            await eventually(lambda: begun(tmp_path) == ["soup"], "a dish on the stove")
            (tmp_path / "release").touch()
            outcome = await inn.client.result("soup")
            assert isinstance(outcome, WorkResponse)
            assert outcome.result == "soup!"
            await eventually(lambda: is_empty(books), "an empty queue")
        assert begun(tmp_path) == ["soup"]


async def test_an_id_may_be_used_anew_once_its_outcome_is_kept_no_longer(tmp_path: Path) -> None:
    (tmp_path / "release").touch()
    short = NETWORK.replace("ensembles:", "defaults: {results_kept: 1s}\nensembles:", 1)
    async with (
        plain_server(tmp_path) as url,
        live(tmp_path, short, nats=url, inn=MODULE) as inn,
        books_at(url) as books,
    ):
        assert (await cooked(inn, "soup")).result == "soup!"
        await eventually(lambda: forgotten(books), "the end of the record")
        assert (await cooked(inn, "stew")).result == "stew!"
        assert begun(tmp_path) == ["soup", "stew"]


async def forgotten(books: Ledgers) -> bool:
    return await books.record("soup") is None
