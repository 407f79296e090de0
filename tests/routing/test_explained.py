"""Why a use goes where it goes, as far as the file alone decides it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.catalog import declared
from runner.cli.render.why import why as rendered
from runner.model import Discovery
from runner.routing.explained import by_the_file
from runner.routing.wiring import candidates
from runner.why import WhyReport
from tests.support.sources import read

KITCHENS = """\
  grill: {tools: {cook: {python: "m:cook", share: {tags: [hot], cost: 3}}}}
  kitchen: {tools: {cook: {python: "m:cook", share: {tags: [hot, cold], cost: 2}}}}
  larder: {tools: {cook: {python: "m:cook", share: [cold]}}}
"""


def why(use: str, key: str | None = None) -> WhyReport:
    files = {
        "network.yaml": f"network: n\nensembles:\n  bar: {{uses: {{meal: {use}}}}}\n{KITCHENS}",
        "m.py": "cook = str\n",
    }
    network = read(files).network
    assert network is not None
    return by_the_file(network, "bar", network.ensembles["bar"].uses["meal"], key=key)


def test_every_candidate_is_told_with_its_reason() -> None:
    report = why("{discover: cook, tags: [hot], prefer: [cold], fallback: larder/cook}")
    assert [(c.provider, c.eligible, c.reason) for c in report.candidates] == [
        ("grill", True, None),
        ("kitchen", True, "preferred for the tag `cold`"),
        ("larder", False, "does not carry the tag `hot`"),
    ]
    assert (report.chosen, report.target, report.order) == ("kitchen", "kitchen/cook", ("kitchen/cook", "grill/cook"))
    assert (report.kind, report.strategy, report.fallback) == ("discovered", "first", "larder/cook")
    assert (report.runner, report.generation) == (None, None)


def test_what_the_file_decides_is_told() -> None:
    assert why("{discover: cook}").chosen == "grill"
    assert why("{discover: cook, select: lowest-cost}").chosen == "kitchen"
    assert why("grill/cook").target == "grill/cook"
    first = why('{discover: cook, select: affinity, key: "{{ input }}"}', key="room 403")
    assert first.chosen == why('{discover: cook, select: affinity, key: "{{ input }}"}', key="room 403").chosen
    assert first.chosen is not None


@pytest.mark.parametrize("select", ["round-robin", "random", "least-loaded", "lowest-latency", "meets-deadline"])
def test_what_only_a_running_network_knows_is_left_open(select: str) -> None:
    report = why(f"{{discover: cook, select: {select}}}")
    assert (report.chosen, report.target, report.order) == (None, None, ())
    assert report.note is not None
    assert report.note.startswith(f"`{select}` goes by ")
    alone = why(f"{{discover: cook, tags: [hot, cold], select: {select}}}")
    assert (alone.chosen, alone.note) == ("kitchen", None), "of one there is nothing to choose"


def test_an_affinity_without_a_key_is_left_open() -> None:
    report = why('{discover: cook, select: affinity, key: "{{ input }}"}')
    assert (report.chosen, report.note) == (
        None,
        "each request goes by its key, {{ input }}: name one to see where it goes",
    )


def test_a_lock_leaves_nobody_else() -> None:
    text = f"network: n\nensembles:\n  bar: {{uses: {{meal: {{discover: cook}}}}}}\n{KITCHENS}"
    network = read({"network.yaml": text, "m.py": "cook = str\n"}).network
    assert network is not None
    use = network.ensembles["bar"].uses["meal"]
    assert isinstance(use.target, Discovery)
    locked = replace(use, target=replace(use.target, only=("kitchen/cook",)))
    report = by_the_file(network, "bar", locked)
    assert report.chosen == "kitchen"
    assert [c.reason for c in report.candidates if not c.eligible] == ["is not locked: the lock names kitchen/cook"] * 2
    assert [c.provider for c in candidates(locked, "bar", declared(network))] == ["kitchen"]


def test_of_thousands_the_eligible_are_listed_and_the_rest_is_counted() -> None:
    inns = "".join(
        f'  inn-{number}: {{tools: {{cook: {{python: "m:cook", share: [hot]}}}}}}\n' for number in range(1200)
    )
    text = f"network: n\nensembles:\n  bar: {{uses: {{meal: {{tags: [hot, cold], select: random}}}}}}\n{KITCHENS}{inns}"
    network = read({"network.yaml": text, "m.py": "cook = str\n"}).network
    assert network is not None
    report = by_the_file(network, "bar", network.ensembles["bar"].uses["meal"])
    assert (len(report.candidates), report.omitted, report.target) == (1000, 203, "kitchen/cook")
    assert [c.provider for c in report.candidates if c.eligible] == ["kitchen"]
    assert "and 203 more candidates" in rendered(report, None)
