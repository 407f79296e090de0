"""`run-network why`: from the file where nothing runs, and from the network that does."""

from __future__ import annotations

import json

from tests.support.terminal import Directory

NETWORK = """\
network: inn
ensembles:
  desk:
    uses:
      meal: {discover: cook, tags: [hot], select: lowest-cost, prefer: [cold], fallback: larder/cook}
      any: {discover: cook, select: least-loaded}
      named: grill/cook
      moon: {discover: fly}
  grill: {tools: {cook: {python: "m:cook", share: {tags: [hot], cost: 3}}}}
  kitchen: {tools: {cook: {python: "m:cook", share: {tags: [hot, cold], cost: 2}}}}
  larder: {tools: {cook: {python: "m:cook", share: [cold]}}}
"""
NOT_RUNNING = "  as the file declares it, with every ensemble up: no network is running here\n"


def inn(directory: Directory) -> Directory:
    directory.write("network.yaml", NETWORK)
    directory.write("m.py", "def cook(text: str) -> str:\n    return text\n")
    return directory


def test_a_discovered_use_is_told_with_all_its_candidates(directory: Directory) -> None:
    ran = inn(directory).run("why", "desk", "meal")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        "meal of desk discovers cook [hot] (lowest-cost: whoever costs least; prefers cold)\n"
        "  network.yaml:5:7 says so\n"
        "\n"
        "     CANDIDATE     TYPE  COST  WHY\n"
        "  ✓  grill/cook    TOOL  3     eligible\n"
        "  ✓  kitchen/cook  TOOL  2     chosen: preferred for the tag `cold`\n"
        "  ✗  larder/cook   TOOL  -     not eligible: does not carry the tag `hot`\n"
        "\n"
        "→ kitchen/cook; then grill/cook, then the fallback larder/cook\n" + NOT_RUNNING
    )


def test_a_static_use_is_told_by_the_line_that_names_its_provider(directory: Directory) -> None:
    ran = inn(directory).run("why", "desk", "named")
    assert ran.out.startswith("named of desk names grill/cook\n  network.yaml:7:7 says so\n")
    assert "  ✓  grill/cook  TOOL  3     named by the use\n\n→ grill/cook\n" in ran.out


def test_what_only_a_running_network_knows_is_said(directory: Directory) -> None:
    out = inn(directory).run("why", "desk", "any").out
    assert "→ one of the eligible: `least-loaded` goes by how busy they are: only a running network knows\n" in out


def test_nobody_is_told_as_nobody(directory: Directory) -> None:
    ran = inn(directory).run("why", "desk", "moon")
    assert (ran.code, "  nobody offers anything like it\n\n→ nobody can be asked\n" in ran.out) == (0, True)


def test_unknown_names_are_guessed(directory: Directory) -> None:
    inn(directory)
    wrong = directory.run("why", "desk", "mael")
    assert (wrong.code, wrong.err) == (1, "error[usage]: `desk` has no use called `mael`\nhint: did you mean `meal`?\n")
    assert "did you mean `desk`?" in directory.run("why", "dsek", "meal").err
    assert "did you mean `report-problem`?" not in wrong.err


def test_the_sample_names_the_file_of_the_ensemble(hotel: Directory) -> None:
    document = json.loads(hotel.run("why", "kitchen", "order-parts", "--json").out)
    assert document["place"]["file"] == "ensembles/kitchen.yaml"
    assert document["live"] is False


def test_the_running_network_answers_for_itself(open_hotel: Directory) -> None:
    document = json.loads(open_hotel.run("why", "front-desk", "find-repair", "--json").out)
    assert {"use", "kind", "candidates", "chosen", "strategy"} <= document.keys()
    assert (document["use"], document["kind"], document["strategy"]) == ("find-repair", "discovered", "round-robin")
    assert [(c["provider"], c["eligible"], c["reason"]) for c in document["candidates"]] == [
        ("maintenance", True, None)
    ]
    assert (document["chosen"], document["live"]) == ("maintenance", True)
    ran = open_hotel.run("why", "room-service", "find-stock")
    assert "STATE  LOAD  WAITING" in ran.out
    assert NOT_RUNNING not in ran.out
    assert "did you mean `find-stock`?" in open_hotel.run("why", "room-service", "find-stok").err


def test_the_running_network_is_drawn_with_where_it_goes_now(open_hotel: Directory) -> None:
    ran = open_hotel.run("graph", "--live")
    assert (ran.code, ran.err) == (0, "")
    assert "find-repair -.-> maintenance/repair-request  (discovered: repair-request [repair]; now)" in ran.out
    wiring = json.loads(open_hotel.run("graph", "--live", "--json").out)["wiring"]
    assert {line["use"] for line in wiring if line["now"]} == {"find-repair", "find-stock", "repair-progress"}


def test_a_network_that_does_not_run_is_not_drawn_live(hotel: Directory) -> None:
    assert hotel.run("graph", "--live").code == 4
    assert "add `--live`" in hotel.run("graph", "--nats", "nats://127.0.0.1:1").err
