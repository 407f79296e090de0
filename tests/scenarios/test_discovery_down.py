"""Discovery is down: whoever is known goes on being asked, by name or discovered, and only what is new is refused."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from nats.js.errors import APIError, NotFoundError

from runner.bus.connection import Connection, connect
from runner.bus.records import Bucket
from runner.bus.streams import context
from runner.cli.render import tables
from runner.host.runner import Runner, running
from runner.subjects import Subjects
from runner.work import Status, WorkResponse
from tests.support.networks import LiveNetwork, eventually, live

NETWORK = """\
network: inn
defaults: {deadline: 20s}
ensembles:
  desk:
    uses:
      named: kitchen/count
      found: {discover: count, select: round-robin}
      stranger: {discover: massage}
      rescued: {discover: massage, fallback: kitchen/count}
      dish: {discover: cook}
    tasks:
      by-name: {share: true, steps: [{use: named}]}
      by-need: {share: true, steps: [{use: found}]}
      by-tool-and-task: {share: true, steps: [{use: dish}]}
      of-a-stranger: {share: true, steps: [{use: stranger}]}
      of-a-rescuer: {share: true, steps: [{use: rescued}]}
  annex: {tools: {count: {python: "inn:count", share: true}}}
  kitchen:
    tools: {count: {python: "inn:count", share: true}}
    tasks: {cook: {share: true, steps: [{template: "cooked {{ context }}"}]}}
  spa: {tools: {massage: {python: "inn:count", share: true}}}
"""
MODULE = "async def count(text: str) -> str:\n    return text\n"
WAYS = ("by-name", "by-need", "by-tool-and-task")
BUCKET = Subjects("inn").bucket("capabilities")
STREAM = f"KV_{BUCKET}"


@asynccontextmanager
async def two_runners(directory: Path) -> AsyncIterator[tuple[LiveNetwork, Runner]]:
    """The desk on one runner, whoever it asks on another; the spa is on none."""
    there, here = frozenset({"annex", "kitchen"}), frozenset({"desk", "spa"})
    async with (
        live(directory, NETWORK, without=there | {"spa"}, inn=MODULE) as inn,
        running(inn.network, inn.workspace, join=True, without=here) as other,
    ):
        await eventually(lambda: inn.runner._ground.registry.count == 3, "what the other one offers")
        yield inn, other


@asynccontextmanager
async def intruder(inn: LiveNetwork) -> AsyncIterator[Connection]:
    """A connection that may do all that a runner may."""
    reach = inn.runner._site.reach
    connection = await connect(reach.urls, caller="_runner", credentials=reach.runner)
    try:
        yield connection
    finally:
        await connection.close()


class Calls:
    """Calls that go on, one after the other in each way; every outcome is kept."""

    def __init__(self, inn: LiveNetwork) -> None:
        self._inn = inn
        self.outcomes: list[tuple[str, Status, str | None]] = []

    async def go_on(self, way: str) -> None:
        while True:
            await self.once(way)

    async def once(self, way: str) -> WorkResponse:
        response = await self._inn.client.call(f"desk/{way}", "soup")
        assert isinstance(response, WorkResponse)
        self.outcomes.append((way, response.status, response.error.message if response.error else None))
        return response

    @contextmanager
    def all_ways(self) -> Iterator[None]:
        going = [asyncio.ensure_future(self.go_on(way)) for way in WAYS]
        yield
        for call in going:
            call.cancel()

    async def some_more(self) -> None:
        """Some calls in each way begin and end from here on."""
        before = len(self.outcomes)

        def enough() -> bool:
            since = [way for way, _, _ in self.outcomes[before:]]
            return all(since.count(way) > 20 for way in WAYS)

        await eventually(enough, "calls in every way")

    @property
    def failed(self) -> list[tuple[str, Status, str | None]]:
        return [outcome for outcome in self.outcomes if outcome[1] is not Status.COMPLETED]


async def test_registrations_that_are_deleted_keep_nobody_from_being_asked(tmp_path: Path):
    async with two_runners(tmp_path) as (inn, _), intruder(inn) as connection:
        bucket, calls = Bucket(connection, BUCKET), Calls(inn)
        with calls.all_ways():
            for _ in range(10):
                for key in await bucket.keys():
                    await bucket.delete(key)
                await calls.some_more()

        async def registered_again() -> bool:
            return len([entry async for entry in bucket.entries()]) == 3

        await eventually(registered_again, "the registrations")
        assert calls.failed == []


async def test_a_bucket_that_is_emptied_without_a_word_is_filled_again(tmp_path: Path):
    async with two_runners(tmp_path) as (inn, _), intruder(inn) as connection:
        bucket, calls = Bucket(connection, BUCKET), Calls(inn)
        with calls.all_ways():
            await context(connection).purge_stream(STREAM)

            async def registered_again() -> bool:
                return len(await bucket.keys()) == 3

            await eventually(registered_again, "the registrations")
            await calls.some_more()
        assert calls.failed == []


async def test_a_deleted_bucket_and_a_killed_server_cost_no_call_that_is_made_afterwards(tmp_path: Path):
    async with two_runners(tmp_path) as (inn, _), intruder(inn) as connection:
        calls = Calls(inn)
        await context(connection).delete_stream(STREAM)
        os.kill(int((inn.workspace.state / "nats-server.pid").read_text()), signal.SIGKILL)

        async def back() -> bool:
            return (await calls.once("by-name")).status is Status.COMPLETED

        await eventually(back, "the server")
        calls.outcomes.clear()
        with calls.all_ways():
            await calls.some_more()

            async def registered_again() -> bool:
                found = await Bucket(inn.runner._ground.connection, BUCKET).keys()
                return len(found) == 3

            await eventually(registered_again, "the registrations")
            await calls.some_more()
        assert calls.failed == []


async def test_while_registrations_cannot_be_read_only_what_is_new_is_refused_and_it_is_told(tmp_path: Path):
    async with two_runners(tmp_path) as (inn, _), intruder(inn) as connection:
        calls = Calls(inn)
        before = (await calls.once("of-a-stranger")).error
        assert before is not None
        assert before.code == "NO_PROVIDER"
        assert await from_outside(inn, "massage") == "NO_PROVIDER"
        assert await from_outside(inn, "cook") is None
        calls.outcomes.clear()
        with calls.all_ways():
            await taken_away(connection)
            await eventually(lambda: inn.runner._ground.registry.away is not None, "the loss")
            await calls.some_more()
            refused = (await calls.once("of-a-stranger")).error
            rescued = await calls.once("of-a-rescuer")
            outside = {name: await from_outside(inn, name) for name in ("massage", "cook", "kitchen/count", "masage")}
            report = await inn.client.status()
            await context(connection).delete_stream("INTRUDER")
            await eventually(lambda: inn.runner._ground.registry.away is None, "its end")
            await calls.some_more()
        assert refused is not None
        assert refused.code == "DISCOVERY_UNAVAILABLE"
        assert refused.message.startswith("nobody is known who offers massage, and the registrations cannot be read")
        assert (
            refused.hint == "providers that are known stay in use, and so do static uses; a `fallback` would be asked"
        )
        assert rescued.result == "soup"
        assert outside == {
            "massage": "DISCOVERY_UNAVAILABLE",
            "cook": None,
            "kitchen/count": None,
            "masage": "UNKNOWN_CAPABILITY",
        }, "the file tells whether there is such a thing at all"
        assert report.discovery_away is not None
        assert f"  discovery: {report.discovery_away}; providers that are known" in tables.status(report)
        assert [way for way, _, _ in calls.failed] == ["of-a-stranger"]
        assert (await inn.client.status()).discovery_away is None

        async def told() -> bool:
            events = [e async for e in inn.client.events(ensemble="inn") if e.kind == "DISCOVERY_UNAVAILABLE"]
            return {"BEGAN", "ENDED"} <= {event.status for event in events}

        await eventually(told, "the events")


async def from_outside(inn: LiveNetwork, target: str) -> str | None:
    """What a call by a client fails with; None where it does not."""
    response = await inn.client.call(target, "soup")
    assert isinstance(response, WorkResponse)
    return response.error.code if response.error is not None else None


async def taken_away(connection: Connection) -> None:
    """Another stream has the subjects of the bucket, so that nobody can make it anew."""
    server = context(connection)

    async def taken() -> bool:
        with suppress(NotFoundError):
            await server.delete_stream(STREAM)
        try:
            await server.add_stream(name="INTRUDER", subjects=[f"$KV.{BUCKET}.*.elsewhere"])
        except APIError:
            return False
        return True

    await eventually(taken, "the intruder")
