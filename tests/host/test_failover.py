"""A discovered provider that does not take a request is followed by the next, and nothing is done twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from runner.registration import Registration
from runner.work import EnsembleState, Status, WorkResponse
from tests.support.networks import LiveNetwork, eventually, live

MODULE = """\
import asyncio
from pathlib import Path

import runner
from runner.errors import CallFailed

HERE = Path(__file__).parent


async def hold(text: str) -> str:
    with (HERE / "effects").open("a") as effects:
        effects.write(f"{text}\\n")
    while not (HERE / "release").exists():
        await asyncio.sleep(0.01)
    return f"held {text}"


async def count(text: str, context: runner.Context) -> str:
    with (HERE / "effects").open("a") as effects:
        effects.write(f"{text}\\n")
    if text.startswith("lost"):
        raise CallFailed("its own provider is gone", code="NO_PROVIDER")
    return f"counted {text}"
"""


def network(use: str) -> str:
    """A desk that delegates through one use, beside two kitchens that take little at a time."""
    return f"""\
network: inn
defaults: {{deadline: 20s}}
ensembles:
  desk:
    uses: {{need: {use}}}
    tasks: {{order: {{share: true, steps: [{{use: need}}]}}}}
  annex:
    capacity: {{max_concurrent: 1, queue_limit: 1, backpressure: 1000}}
    tools: {{count: {{python: "inn:count", share: true}}}}
    tasks: {{cook: {{share: true, steps: [{{python: "inn:hold"}}]}}}}
  kitchen:
    capacity: {{max_concurrent: 1, queue_limit: 1, backpressure: 1000}}
    tools: {{count: {{python: "inn:count", share: true}}}}
    tasks: {{cook: {{share: true, steps: [{{python: "inn:hold"}}]}}}}
  tavern:
    tools: {{count: {{python: "inn:count", share: [rest]}}}}
    tasks: {{cook: {{share: [rest], steps: [{{template: "the tavern cooked {{{{ context }}}}"}}]}}}}
"""


ONLY_TWO = "avoid: [rest]"


async def ordered(inn: LiveNetwork, text: str) -> WorkResponse:
    response = await inn.client.call("desk/order", text)
    assert isinstance(response, WorkResponse)
    return response


def effects(inn: LiveNetwork) -> list[str]:
    path = inn.workspace.directory / "effects"
    return sorted(path.read_text().split()) if path.exists() else []


def release(inn: LiveNetwork) -> None:
    (inn.workspace.directory / "release").touch()


async def pretend(inn: LiveNetwork, ensemble: str) -> None:
    """Register for an ensemble that nobody hosts, as if its runner had been killed a moment ago."""
    ground = inn.runner._ground
    offered = tuple(c for c in ground.in_force.generation.declared.capabilities if c.provider == ensemble)
    await ground.registry.put(Registration(ensemble=ensemble, runner=inn.runner.id, state=EnsembleState.READY,
                                           capabilities=offered))  # fmt: skip


async def failures(inn: LiveNetwork) -> list[str | None]:
    return [e.message async for e in inn.client.events(ensemble="desk") if e.kind == "DELEGATION_FAILED"]


async def test_a_tool_whose_provider_has_just_gone_is_asked_of_the_next(tmp_path: Path):
    async with live(tmp_path, network("{discover: count}"), without=frozenset({"annex"}), inn=MODULE) as inn:
        await pretend(inn, "annex")
        response = await ordered(inn, "one")
        assert (response.status, response.result) == (Status.COMPLETED, "counted one")
        assert effects(inn) == ["one"]

        async def told() -> bool:
            return await failures(inn) == ["need: annex/count did not take it (NO_PROVIDER): kitchen/count is asked"]

        await eventually(told, "the event")


async def test_a_client_that_discovers_goes_on_to_the_next_as_well(tmp_path: Path):
    async with live(tmp_path, network("{discover: count}"), without=frozenset({"annex"}), inn=MODULE) as inn:
        await pretend(inn, "annex")
        response = await inn.client.call("count", "one")
        assert isinstance(response, WorkResponse)
        assert (response.status, response.provider) == (Status.COMPLETED, "kitchen")
        named = await inn.client.call("annex/count", "two")
        assert isinstance(named, WorkResponse)
        assert named.error is not None
        assert (named.error.code, effects(inn)) == ("NO_PROVIDER", ["one"])


async def full(inn: LiveNetwork, *providers: str) -> list[asyncio.Future[object]]:
    """Let each of them hold the one task that its queue takes."""
    held = [asyncio.ensure_future(inn.client.call(f"{name}/cook", f"held-by-{name}")) for name in providers]
    await eventually(lambda: effects(inn) == sorted(f"held-by-{name}" for name in providers), "the work")
    return held


@pytest.mark.parametrize("mode", ["await", "async"])
async def test_a_task_that_has_no_room_goes_to_the_next_under_the_same_id(tmp_path: Path, mode: str):
    use = f"{{discover: cook, mode: {mode}}}"
    async with live(tmp_path, network(use), inn=MODULE) as inn:
        held = await full(inn, "annex")
        response = await asyncio.wait_for(asyncio.ensure_future(both(inn)), 20)
        release(inn)
        await asyncio.gather(*held)
        assert response.status is Status.COMPLETED
        kitchens = [r for r in await inn.client.requests() if r.task == "cook" and r.caller == "desk"]
        assert [r.provider for r in kitchens] == ["kitchen"]


async def both(inn: LiveNetwork) -> WorkResponse:
    """The order, and, once the kitchen has begun with it, leave for everybody to end."""
    asked = asyncio.ensure_future(ordered(inn, "soup"))
    await eventually(lambda: "soup" in effects(inn), "the soup")
    release(inn)
    return await asked


async def test_a_client_is_sent_on_where_there_is_no_room(tmp_path: Path):
    async with live(tmp_path, network("{discover: cook}"), inn=MODULE) as inn:
        held = await full(inn, "annex", "kitchen")
        response = await inn.client.call("cook", "soup", request_id="mine")
        assert isinstance(response, WorkResponse)
        assert (response.request_id, response.result) == ("mine", "the tavern cooked soup")
        release(inn)
        await asyncio.gather(*held)


async def test_where_all_refuse_the_fallback_is_asked_and_without_one_the_last_refusal_counts(tmp_path: Path):
    for use, expected in (
        ("{discover: cook, tags: [quick], fallback: tavern/cook}", "the tavern cooked soup"),
        ("{discover: cook, tags: [quick]}", None),
    ):
        text = network(use).replace("cook: {share: true", "cook: {share: [quick]")
        directory = tmp_path / str(expected is None)
        directory.mkdir()
        async with live(directory, text, inn=MODULE) as inn:
            held = await full(inn, "annex", "kitchen")
            response = await ordered(inn, "soup")
            release(inn)
            await asyncio.gather(*held)
            assert response.result == expected
            if expected is None:
                assert response.error is not None
                assert response.error.code == "QUEUE_FULL"
                assert "annex/cook (QUEUE_FULL)" in response.error.message


async def test_a_provider_that_began_and_failed_is_not_followed_by_another(tmp_path: Path):
    """Its own failure reads like nobody's being there: it has worked all the same."""
    async with live(tmp_path, network("{discover: count, fallback: tavern/count}"), inn=MODULE) as inn:
        response = await ordered(inn, "lost")
        assert response.error is not None
        assert (response.error.code, effects(inn)) == ("NO_PROVIDER", ["lost"])


async def test_nobody_is_told_with_the_reason_of_each(tmp_path: Path):
    gone = frozenset({"annex", "kitchen", "tavern"})
    async with live(tmp_path, network("{discover: count}"), without=gone, inn=MODULE) as inn:
        response = await ordered(inn, "one")
        assert response.error is not None
        assert response.error.code == "NO_PROVIDER"
        assert response.error.hint is not None
        assert "annex/count: annex is STOPPED; kitchen/count: kitchen is STOPPED" in response.error.hint


async def test_requests_with_one_key_go_to_one_provider_and_others_elsewhere(tmp_path: Path):
    use = '{discover: count, select: affinity, key: "{{ input }} for {{ request.from }}"}'
    async with live(tmp_path, network(use), inn=MODULE) as inn:

        async def asked(*texts: str) -> set[str]:
            before = len(await counted())
            for text in texts:
                await ordered(inn, text)

            async def all_told() -> bool:
                return len(await counted()) == before + len(texts)

            await eventually(all_told, "the events")
            return set((await counted())[before:])

        async def counted() -> list[str]:
            return [e.ensemble async for e in inn.client.events() if (e.kind, e.capability) == ("completed", "count")]

        assert len(await asked(*["same"] * 8)) == 1
        assert len(await asked(*map(str, range(16)))) > 1


async def test_a_key_that_cannot_be_made_fails_the_step_by_name(tmp_path: Path):
    use = '{discover: count, select: affinity, key: "{{ input.room }}"}'
    async with live(tmp_path, network(use), inn=MODULE) as inn:
        response = await ordered(inn, "one")
        assert response.error is not None
        assert response.error.code == "TEMPLATE_FAILED"
