"""`why`: the explained selection of a use, as the runner that hosts its ensemble would decide it now."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import UsageProblem
from runner.model import Selection
from runner.work import CapabilityType, EnsembleState, WorkResponse
from tests.support.networks import LiveNetwork, eventually, live

MODULE = "async def count(text: str) -> str:\n    return text\n"


def network(use: str) -> str:
    return f"""\
network: inn
ensembles:
  desk:
    uses:
      need: {use}
      named: {{to: kitchen/count, fallback: annex/count}}
    tasks: {{order: {{share: true, steps: [{{use: need}}]}}}}
  annex: {{tools: {{count: {{python: "inn:count", share: {{tags: [near], cost: 3}}}}}}}}
  cellar: {{tools: {{count: {{python: "inn:count", share: [cold]}}}}}}
  kitchen: {{tools: {{count: {{python: "inn:count", share: {{tags: [near, warm], cost: 2}}}}}}}}
"""


async def asked_of(inn: LiveNetwork) -> list[str]:
    """Who was asked to count, in order."""
    return [e.ensemble async for e in inn.client.events() if (e.kind, e.capability) == ("completed", "count")]


async def test_every_candidate_is_told_with_what_speaks_for_and_against_it(tmp_path: Path):
    use = "{discover: count, tags: [near], select: lowest-cost, prefer: [warm], fallback: cellar/count}"
    async with live(tmp_path, network(use), without=frozenset({"annex"}), inn=MODULE) as inn:
        report = await inn.client.why("desk", "need")
        assert [(c.provider, c.eligible, c.reason) for c in report.candidates] == [
            ("annex", False, "annex is STOPPED"),
            ("cellar", False, "does not carry the tag `near`"),
            ("kitchen", True, "preferred for the tag `warm`"),
        ]
        assert (report.use, report.kind, report.need) == ("need", "discovered", "count [near]")
        assert (report.chosen, report.target, report.order) == ("kitchen", "kitchen/count", ("kitchen/count",))
        assert (report.strategy, report.prefer, report.fallback) == ("lowest-cost", ("warm",), "cellar/count")
        assert report.candidates[2].cost == 2
        assert report.runner == inn.runner.id


async def test_a_static_use_has_one_candidate_and_it_is_asked_however_it_is(tmp_path: Path):
    async with live(tmp_path, network("{discover: count}"), without=frozenset({"kitchen"}), inn=MODULE) as inn:
        report = await inn.client.why("desk", "named")
        assert (report.kind, report.strategy, report.chosen) == ("static", "static", "kitchen")
        assert (report.order, report.fallback) == (("kitchen/count",), "annex/count")
        assert [c.reason for c in report.candidates] == ["kitchen is STOPPED; it was named, and is asked all the same"]
        assert (report.fallback_type, report.fallback_state) == (CapabilityType.TOOL, EnsembleState.READY)


async def test_the_fallback_is_told_with_how_it_is(tmp_path: Path):
    use = "{discover: cook, fallback: kitchen/count}"
    async with live(tmp_path, network(use), without=frozenset({"kitchen"}), inn=MODULE) as inn:
        report = await inn.client.why("desk", "need")
        assert (report.target, report.fallback) == (None, "kitchen/count")
        assert (report.fallback_type, report.fallback_state) == (CapabilityType.TOOL, EnsembleState.STOPPED)


@pytest.mark.parametrize("select", [s for s in Selection if s is not Selection.LOWEST_LATENCY])
async def test_what_is_told_is_what_the_next_request_does(tmp_path: Path, select: Selection):
    """Whatever the strategy, and however often one asks meanwhile."""
    key = ', key: "{{ input }}"' if select is Selection.AFFINITY else ""
    async with live(tmp_path, network(f"{{discover: count, select: {select}{key}}}"), inn=MODULE) as inn:
        told: list[str | None] = []
        for number in range(6):
            for _ in range(2):
                report = await inn.client.why("desk", "need", key=f"guest {number}")
            told.append(report.chosen)
            assert report.order[0] == report.target
            assert len(report.order) == 3
            response = await inn.client.call("desk/order", f"guest {number}")
            assert isinstance(response, WorkResponse)

            async def all_told(number: int = number) -> bool:
                return len(await asked_of(inn)) == number + 1

            await eventually(all_told, "the events")
        assert await asked_of(inn) == told


async def test_what_goes_by_a_key_is_not_known_without_one(tmp_path: Path):
    use = '{discover: count, select: affinity, key: "{{ request.from }}"}'
    async with live(tmp_path, network(use), inn=MODULE) as inn:
        report = await inn.client.why("desk", "need")
        assert (report.chosen, report.order) == (None, ())
        assert report.note == "each request goes by its key, {{ request.from }}: name one to see where it goes"
        assert (await inn.client.why("desk", "need", key="_cli")).chosen is not None


async def test_who_hosts_nobody_answers_for_those_that_nobody_hosts(tmp_path: Path):
    gone = frozenset({"desk", "annex"})
    async with live(tmp_path, network("{discover: count}"), without=gone, inn=MODULE) as inn:
        assert (await inn.client.why("desk", "need")).chosen == "cellar"


@pytest.mark.parametrize(
    ("ensemble", "use", "message", "hint"),
    [
        ("dekc", "need", "no ensemble is called dekc", "did you mean `desk`?"),
        ("desk", "nede", "desk has no use called nede", "did you mean `need`?"),
        ("cellar", "x", "cellar has no use called x", "it has none"),
    ],
)
async def test_what_there_is_not_is_the_askers_mistake(
    tmp_path: Path, ensemble: str, use: str, message: str, hint: str
):
    async with live(tmp_path, network("{discover: count}"), inn=MODULE) as inn:
        with pytest.raises(UsageProblem) as raised:
            await inn.client.why(ensemble, use)
        assert (raised.value.message, raised.value.hint) == (message, hint)
