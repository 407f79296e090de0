"""Reading again, with what the reading before kept, gives what reading for the first time gives."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.config.bundling import bundled
from runner.config.kept import LARGEST_BYTES, Kept
from runner.config.reading import Reading, read_network
from tests.support.sources import MemorySource, printed

ROOT = Path(__file__).parents[2]
HOTEL = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (ROOT / "network.yaml", *sorted((ROOT / "ensembles").rglob("*")))
    if path.is_file() and path.suffix in {".yaml", ".py", ".md", ".json"}
}
TAGS = "tags: {food: meals, stock: {description: counts, aliases: [inventory]}}"
NETWORK = """\
network: inn
TAGS
models: {cook: [{provider: scripted, script: script.yaml}]}
deliveries: {board: {queue: board}}
ensembles:
  kitchen: e/kitchen.yaml
  cellar: e/cellar.yaml
  desk: {uses: {count: {discover: count, tags: [inventory]}}, tasks: {ask: {share: [food], steps: [{use: count}]}}}
""".replace("TAGS", TAGS)
KITCHEN = """\
description: Cooks.
agents: {chef: {model: cook, instructions: chef.md, tools: [taste]}}
uses: {count: cellar/count, later: {to: cellar/bring, mode: async, delivery: board}}
tools: {taste: {python: "dishes:taste", share: [inventory]}}
tasks: {cook: {share: true, input_schema: meal.json, steps: [{id: eaten, tool: taste}, {agent: chef, prompt: go}]}}
"""
CELLAR = """\
domain: "${env:DOMAIN:-below}"
tools: {count: {python: "stock:count", share: [inventory]}}
tasks: {bring: {share: [stock], steps: [{template: "{{ context }}"}]}}
"""
INN = {
    "network.yaml": NETWORK,
    "script.yaml": "cases: [{say: done}]\n",
    "e/kitchen.yaml": KITCHEN,
    "e/cellar.yaml": CELLAR,
    "e/chef.md": "Cook.",
    "e/meal.json": '{"type": "object"}',
    "e/dishes.py": "import spices\n\n\ndef taste() -> str: ...\n",
    "e/spices.py": "",
    "e/stock.py": "def count() -> int: ...\n",
}
REPLACEMENTS = [
    ("network.yaml", "aliases: [inventory]", "aliases: [goods]"),
    ("network.yaml", TAGS, "tags: {food: {description: meals, aliases: [inventory]}, stock: counts}"),
    ("network.yaml", "{queue: board}", "{topic: board}"),
    ("network.yaml", "board: {queue", "other: {queue"),
    ("network.yaml", "network: inn", "network: hotel"),
    ("network.yaml", "  cellar: e/cellar.yaml\n", ""),
    ("network.yaml", "e/cellar.yaml", "e/kitchen.yaml"),
    ("network.yaml", "tags: {food: meals, ", "tags: {"),
    ("e/kitchen.yaml", "Cooks.", "Bakes."),
    ("e/kitchen.yaml", "chef.md", "stock.md"),
    ("e/kitchen.yaml", "cellar/count", "cellar/bring"),
    ("e/kitchen.yaml", "share: [inventory]", "share: {tags: [food], authority: supervised}"),
    ("e/kitchen.yaml", "description:", "descripton:"),
    ("e/kitchen.yaml", "agents: {", "agents: {{"),
    ("e/kitchen.yaml", "dishes:taste", "dishes:smell"),
    ("e/cellar.yaml", "share: [stock]", "share: [food]"),
    ("e/cellar.yaml", "${env:DOMAIN:-below}", "${env:DOMAIN}"),
    ("e/chef.md", "Cook.", "Bake."),
    ("e/meal.json", "object", "string"),
    ("e/meal.json", '"object"', "7"),
    ("e/dishes.py", "taste", "smell"),
    ("e/dishes.py", "import spices", "import stock"),
    ("e/dishes.py", "def ", "def def "),
    ("script.yaml", "done", "ready"),
]
EDITS = st.one_of(
    st.tuples(st.just("replace"), st.sampled_from(REPLACEMENTS)),
    st.tuples(st.just("undo"), st.sampled_from(sorted(INN))),
    st.tuples(st.just("delete"), st.sampled_from(sorted(INN))),
    st.tuples(st.just("cut"), st.tuples(st.sampled_from(sorted(INN)), st.integers(0, 200))),
)


def edited(files: dict[str, str], kind: str, what: object) -> dict[str, str]:
    match kind, what:
        case "replace", (str(file), str(before), str(after)):
            return {**files, file: files.get(file, "").replace(before, after)}
        case "undo", str(file):
            return {**files, file: INN[file]}
        case "delete", str(file):
            return {name: text for name, text in files.items() if name != file}
        case "cut", (str(file), int(length)):
            return {**files, file: files.get(file, "")[:length]}
    raise AssertionError(kind)


def told(reading: Reading) -> tuple[object, ...]:
    """All that anybody asks of a reading."""
    files = bundled(reading) if reading.network is not None else None
    return (
        reading.network,
        printed(reading.diagnostics),
        dict(reading.sources),
        list(reading.sources),
        files and files.bundle.hash,
        reading.library.contents(),
        reading.references.digest("salt"),
        reading.references.secrets,
    )


def read(files: dict[str, str], env: dict[str, str], before: Kept) -> Reading:
    return read_network(MemorySource(files), "network.yaml", env, before=before)


@settings(max_examples=150, deadline=None)
@given(edits=st.lists(st.tuples(EDITS, st.sampled_from(["", "cold", "deep"])), max_size=8))
def test_whatever_is_edited_reading_again_gives_what_reading_for_the_first_time_gives(
    edits: list[tuple[tuple[str, object], str]],
) -> None:
    files, kept = dict(INN), read(INN, {}, Kept()).kept
    for (kind, what), domain in edits:
        files, env = edited(files, kind, what), {"DOMAIN": domain} if domain else {}
        again = read(files, env, kept)
        assert told(again) == told(read(files, env, Kept()))
        kept = again.kept


def test_an_ensemble_whose_files_say_the_same_is_the_same_object() -> None:
    before = read(INN, {}, Kept())
    after = read(edited(INN, "replace", ("e/cellar.yaml", "share: [stock]", "share: [food]")), {}, before.kept)
    assert before.network is not None
    assert after.network is not None
    assert after.network.ensembles["kitchen"] is before.network.ensembles["kitchen"]
    assert after.network.ensembles["cellar"] != before.network.ensembles["cellar"]


def test_of_the_hotel_everything_is_taken_over_when_nothing_changes() -> None:
    before = read(HOTEL, {}, Kept())
    after = read(HOTEL, {}, before.kept)
    assert before.network is not None
    assert after.network is not None
    assert told(after) == told(before)
    assert [n for n, e in after.network.ensembles.items() if e is not before.network.ensembles[n]] == []


def test_what_an_edit_left_behind_and_what_is_large_is_not_kept() -> None:
    first = read(INN, {}, Kept())
    second = read(edited(INN, "delete", "e/cellar.yaml"), {}, first.kept)
    assert sorted(second.kept.documents) == ["e/kitchen.yaml", "e/meal.json", "network.yaml", "script.yaml"]
    large = read({**INN, "e/kitchen.yaml": KITCHEN + "#" * LARGEST_BYTES}, {}, Kept())
    assert "e/kitchen.yaml" not in large.kept.documents
    assert "kitchen" not in large.kept.members
