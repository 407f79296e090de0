"""What a hop costs beside raw nats-py: both sides in one run, on one server, in turns.

    python benchmarks/hop.py [--rounds 7] [--calls 400] [--flight 64]

tool hop   client.call of a tool            beside  raw request–reply
task hop   client.call of a task            beside  raw durable hop: publish with ack → continuous puller → one outcome
                                                    recorded by compare-and-set → reply and ack
Caller and provider are two processes on each side; the server fsyncs every write for both. Prints p50 and p99 in
microseconds, calls per second with many in flight, and the ratios of the medians over all rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from nats import connect as nats_connect
from nats.aio.client import Client
from nats.js import api

from runner import connect
from runner.bus.keys import key_in
from runner.config.reading import read_network
from runner.host.runner import running
from runner.state import State
from runner.work import WorkResponse
from runner.workspace import Workspace

NETWORK = """\
network: bench
ensembles:
  echo:
    capacity: {max_concurrent: 64, queue_limit: 100000}
    tools:
      say: {python: "echo:say", share: true}
      say-in-a-thread: {python: "echo:say_in_a_thread", share: true}
    tasks:
      work: {share: true, steps: [{tool: say}]}
"""
MODULE = """\
async def say(text: str) -> str:
    return text


def say_in_a_thread(text: str) -> str:
    return text
"""
PAYLOAD = "x" * 200
RAW_STREAM, RAW_BUCKET = "raw_work", "raw_results"

Call = Callable[[int], Awaitable[object]]


async def serve_ensembles(directory: Path) -> None:
    workspace = Workspace.of(directory / "network.yaml")
    network = read_network(workspace, "network.yaml", {}).network
    assert network is not None
    async with running(network, workspace) as live:
        print("ready", flush=True)
        await live.wait_stopped()


async def raw_connection(directory: Path) -> Client:
    """As the runner's own user, who may do everything."""
    state = State(directory / ".run-network")
    found = state.running()
    assert found is not None
    return await nats_connect(list(found.url), nkeys_seed_str=key_in(state.keys / "runner.nk").seed)


async def serve_raw(directory: Path) -> None:
    connection = await raw_connection(directory)
    jetstream = connection.jetstream()
    await jetstream.add_stream(
        api.StreamConfig(name=RAW_STREAM, subjects=["raw.work"], retention=api.RetentionPolicy.WORK_QUEUE)
    )
    await jetstream.add_stream(
        api.StreamConfig(
            name=f"KV_{RAW_BUCKET}", subjects=[f"$KV.{RAW_BUCKET}.>"], max_msgs_per_subject=1, allow_direct=True
        )
    )
    await jetstream.add_consumer(
        RAW_STREAM,
        api.ConsumerConfig(durable_name="w", ack_policy=api.AckPolicy.EXPLICIT, max_ack_pending=-1, mem_storage=True),
    )
    credits = 0
    inbox = connection.new_inbox()

    async def refill() -> None:
        nonlocal credits
        if credits <= 32:
            body = json.dumps({"batch": 64 - credits, "expires": 600_000_000_000}).encode()
            await connection.publish(f"$JS.API.CONSUMER.MSG.NEXT.{RAW_STREAM}.w", body, reply=inbox)
            credits = 64

    async def work(message) -> None:
        headers = {"Nats-Expected-Last-Subject-Sequence": "0"}
        key = f"$KV.{RAW_BUCKET}.{message.headers['Nats-Msg-Id']}"
        acknowledgement = await connection.request(key, message.data, timeout=5, headers=headers)
        assert b'"seq"' in acknowledgement.data
        await connection.publish(message.headers["Reply"], message.data)
        await connection.publish(message.reply, b"+ACK")

    tasks: set[asyncio.Task[None]] = set()

    async def on_task(message) -> None:
        nonlocal credits
        credits -= 1
        task = asyncio.ensure_future(work(message))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        await refill()

    async def on_tool(message) -> None:
        await connection.publish(message.reply, message.data)

    await connection.subscribe(inbox, cb=on_task)
    await connection.subscribe("raw.tool", cb=on_tool)
    await refill()
    await asyncio.sleep(0)
    await connection.flush()
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await connection.close()


@asynccontextmanager
async def served(role: str, directory: Path):
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, __file__, "--serve", role, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert (await asyncio.to_thread(process.stdout.readline)).strip() == "ready"
    try:
        yield
    finally:
        process.terminate() if role == "ensembles" else process.stdin.close()
        await asyncio.to_thread(process.wait)


async def one_by_one(call: Call, count: int) -> list[float]:
    spans = []
    for number in range(count):
        began = time.perf_counter()
        await call(number)
        spans.append((time.perf_counter() - began) * 1e6)
    return spans


async def in_flight(call: Call, count: int, flight: int) -> float:
    """Calls per second with `flight` at a time."""
    numbers = iter(range(count))

    async def lane() -> None:
        for number in numbers:
            await call(number)

    began = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(flight)))
    return count / (time.perf_counter() - began)


@asynccontextmanager
async def calls(directory: Path):
    raw = await raw_connection(directory)
    waiting: dict[str, asyncio.Future[bytes]] = {}

    async def on_reply(message) -> None:
        waiting.pop(message.subject).set_result(message.data)

    await raw.subscribe("raw.reply.*", cb=on_reply)
    unique = iter(range(10**9))

    async def raw_tool(_: int) -> None:
        await raw.request("raw.tool", PAYLOAD.encode(), timeout=10)

    async def raw_task(_: int) -> None:
        identity = str(next(unique))
        reply = f"raw.reply.{identity}"
        waiting[reply] = answer = asyncio.get_running_loop().create_future()
        await raw.request("raw.work", PAYLOAD.encode(), timeout=10, headers={"Nats-Msg-Id": identity, "Reply": reply})
        async with asyncio.timeout(30):
            await answer

    async with connect(directory / "network.yaml", name="bench") as network:

        def ours(target: str) -> Call:
            async def call(_: int) -> None:
                response = await network.call(target, PAYLOAD)
                assert isinstance(response, WorkResponse)
                assert response.result == PAYLOAD, response

            return call

        yield {
            "raw tool": raw_tool,
            "tool": ours("echo/say"),
            "tool, sync Python": ours("echo/say-in-a-thread"),
            "raw task": raw_task,
            "task": ours("echo/work"),
        }
    await raw.close()


async def measure(rounds: int, count: int, flight: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        (directory / "network.yaml").write_text(NETWORK)
        (directory / "echo.py").write_text(MODULE)
        async with served("ensembles", directory), served("raw", directory), calls(directory) as sides:
            spans: dict[str, list[float]] = {name: [] for name in sides}
            rates: dict[str, list[float]] = {name: [] for name in sides}
            for call in sides.values():
                await one_by_one(call, count // 4)
            for _ in range(rounds):
                for name, call in sides.items():
                    spans[name] += await one_by_one(call, count)
                for name, call in sides.items():
                    rates[name].append(await in_flight(call, count * 4, flight))
    report(spans, rates, flight)


def report(spans: dict[str, list[float]], rates: dict[str, list[float]], flight: int) -> None:
    print(f"{'':20} {'p50 µs':>9} {'p99 µs':>9} {f'{flight} in flight /s':>18}")
    for name, values in spans.items():
        ordered = sorted(values)
        p99 = ordered[int(len(ordered) * 0.99)]
        print(f"{name:20} {statistics.median(ordered):9.0f} {p99:9.0f} {statistics.median(rates[name]):18.0f}")
    sides = (("tool", "raw tool", 1.5), ("tool, sync Python", "raw tool", None), ("task", "raw task", 1.4))
    for name, raw, bound in sides:
        p50 = statistics.median(spans[name]) / statistics.median(spans[raw])
        rate = statistics.median(rates[name]) / statistics.median(rates[raw])
        wanted = f" (at most {bound})" if bound else ""
        print(f"{name}: p50 {p50:.2f} × raw{wanted}, {rate:.0%} of raw's rate in flight")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--flight", type=int, default=64)
    parser.add_argument("--serve", nargs=2, metavar=("ROLE", "DIRECTORY"))
    options = parser.parse_args()
    if options.serve:
        role, directory = options.serve
        asyncio.run({"ensembles": serve_ensembles, "raw": serve_raw}[role](Path(directory)))
    else:
        print(f"{os.cpu_count()} cores, {options.rounds} rounds of {options.calls} calls")
        asyncio.run(measure(options.rounds, options.calls, options.flight))


if __name__ == "__main__":
    main()
