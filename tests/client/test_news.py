"""What a client hears of changes, and when it trusts that there were none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runner.beat import Beat, Vitals
from runner.client.news import SETTLED_SECONDS, SILENT_SECONDS, News
from runner.work import EnsembleState


class Lines:
    """What is said on the lines that a client listens to: to beats by `hear`, to registrations by `listen`."""

    async def hear(self, heard):
        self.beat = heard

    async def listen(self, heard):
        self.registration = heard


def beat(runner: str = "r1", *, ended: bool = False, **of_kitchen: object) -> Beat:
    vitals = Vitals(**{"ensemble": "kitchen", "state": EnsembleState.READY, **of_kitchen})
    began = datetime(2026, 1, 1, tzinfo=UTC)
    return Beat(runner=runner, pid=1, host="h", url="u", started_at=began, sequence=1, ensembles=(vitals,), ended=ended)


class Client:
    def __init__(self) -> None:
        self.now = 100.0
        self.lines = Lines()
        self.news = News(self.lines, self.lines, clock=lambda: self.now)

    def after(self, seconds: float, *beats: Beat) -> None:
        self.now += seconds
        for said in beats:
            self.lines.beat(said)

    @property
    def trusts(self) -> bool:
        """Whether what it was told just now would still hold."""
        return self.news.nothing_since(self.now)


@pytest.fixture
async def client() -> Client:
    """It has heard a runner for as long as a change takes to get around."""
    client = Client()
    assert not client.trusts, "who does not listen hears of nothing"
    await client.news.open()
    assert not client.trusts, "who has heard nobody does not know whether anybody would tell"
    client.after(0, beat())
    assert not client.trusts, "the runner that is asked may not have heard of it yet"
    client.after(SETTLED_SECONDS, beat(in_flight=3, took={"cook": 2.0}))
    return client


async def test_nothing_has_changed_while_the_same_beats_come(client: Client) -> None:
    asked_at = client.now
    for _ in range(100):
        client.after(1.0, beat(in_flight=1, queued=2))
        assert client.news.nothing_since(asked_at)


@pytest.mark.parametrize(
    "said",
    [
        beat(state=EnsembleState.DEGRADED),
        beat(constrained=True),
        beat(ensemble="annex"),
        beat("r2"),
        beat(ended=True),
    ],
    ids=["state", "constrained", "ensemble", "runner", "goodbye"],
)
async def test_what_decides_who_is_asked_is_a_change(client: Client, said: Beat) -> None:
    asked_at = client.now
    client.after(0, said)
    assert not client.news.nothing_since(asked_at)


async def test_a_registration_is_a_change_and_so_is_what_may_have_gone_unheard(client: Client) -> None:
    client.lines.registration("kitchen.r1", b"{}")
    assert not client.trusts
    client.after(SETTLED_SECONDS, beat())
    assert client.trusts
    client.news.tell()
    assert not client.trusts


async def test_a_runner_that_falls_silent_is_a_change_and_the_last_one_the_end_of_trust(client: Client) -> None:
    client.after(0, beat("r2"))
    client.after(SETTLED_SECONDS, beat(), beat("r2"))
    assert client.trusts
    client.after(SILENT_SECONDS, beat())
    client.after(0.1, beat())
    assert not client.trusts, "r2 is gone"
    client.after(SETTLED_SECONDS, beat())
    assert client.trusts
    client.after(SILENT_SECONDS + 0.1)
    assert not client.trusts, "nobody tells of anything"
