"""What belongs to a network: everything that reading it and running it needs, and no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.bundle import Bundle, Bundled
from runner.config.bundling import bundled, changed
from runner.config.reading import Reading, read_network
from runner.workspace import Workspace
from tests.support.networks import files_in

FILES = {
    "network.yaml": """\
network: inn
models: {fast: [{provider: scripted, script: scripts/chef.yaml}]}
nats: {credentials: "${file:key.nk}", url: "nats://127.0.0.1:${env:PORT:-4222}"}
ensembles:
  kitchen: ensembles/kitchen.yaml
""",
    "ensembles/kitchen.yaml": """\
agents: {chef: {model: fast, instructions: ../prompts/chef.md}}
tasks:
  cook:
    share: true
    input_schema: ../schemas/dish.json
    steps: [{python: "cooking:cook"}, {agent: chef}]
""",
    "ensembles/cooking.py": "def cook(context):\n    import pans\n    return pans.COUNT\n",
    "ensembles/pans.py": "COUNT = 3\n",
    "ensembles/unused.py": "",
    "prompts/chef.md": "Cook.",
    "schemas/dish.json": '{"type": "string"}',
    "scripts/chef.yaml": "cases: [{say: done}]\n",
    "key.nk": "SECRETSEED",
    ".env": "PORT=4333\n",
}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return files_in(tmp_path, FILES)


def read(workspace: Workspace, **env: str) -> Reading:
    reading = read_network(workspace, "network.yaml", env)
    assert reading.network is not None, reading.diagnostics
    return reading


def test_the_files_that_were_read_and_the_modules_that_they_import_belong_to_it(workspace: Workspace):
    assert sorted(bundled(read(workspace)).bundle.files) == [
        "ensembles/cooking.py",
        "ensembles/kitchen.yaml",
        "ensembles/pans.py",
        "network.yaml",
        "prompts/chef.md",
        "schemas/dish.json",
        "scripts/chef.yaml",
    ]


def test_what_stands_for_a_secret_does_not(workspace: Workspace):
    found = bundled(read(workspace))
    assert not any(b"SECRETSEED" in data for data in found.blobs.values())


def test_a_network_read_from_its_bundle_is_the_same(workspace: Workspace, tmp_path: Path):
    reading = read(workspace)
    elsewhere = files_in(tmp_path / "elsewhere", {"key.nk": "SECRETSEED"})
    again = read_network(bundled(reading), "network.yaml", {}, safe=elsewhere)
    assert again.network == reading.network
    assert bundled(again) == bundled(reading)


def test_a_bundle_has_the_contents_that_were_read_whatever_happens_to_the_files_then(workspace: Workspace):
    reading = read(workspace)
    (workspace.directory / "prompts/chef.md").write_text("Burn.")
    assert bundled(reading).read("prompts/chef.md") == b"Cook."


def test_its_hash_is_that_of_its_files_in_any_order():
    one = Bundle(file="network.yaml", files={"a": "1", "b": "2"})
    assert one.hash == Bundle(file="network.yaml", files={"b": "2", "a": "1"}).hash
    assert one.hash != Bundle(file="network.yaml", files={"a": "1", "b": "3"}).hash
    assert one.hash != Bundle(file="other.yaml", files={"a": "1", "b": "2"}).hash


def test_a_bundle_is_a_directory_to_whoever_reads_from_it():
    found = Bundled.of("network.yaml", {"network.yaml": b"x", "e/k/a.py": b""})
    assert found.read("e/k/a.py") == b""
    with pytest.raises(FileNotFoundError):
        found.read("e/k/b.py")
    for folder in ("e", "e/k"):
        with pytest.raises(IsADirectoryError):
            found.read(folder)


def test_another_value_of_a_reference_is_another_digest_and_tells_nothing(workspace: Workspace):
    salted = [read(workspace, PORT=port).references.digest("salt") for port in ("4222", "4333")]
    assert salted[0] != salted[1]
    assert salted[0] == read(workspace, PORT="4222", OTHER="1").references.digest("salt")
    assert salted[0] != read(workspace, PORT="4222").references.digest("pepper")


EDITS = {
    "ensembles/pans.py": ("COUNT = 4\n", ("kitchen",)),
    "ensembles/cooking.py": ("def cook(context):\n    return 5\n", ("kitchen",)),
    "prompts/chef.md": ("Cook well.", ("kitchen",)),
    "ensembles/unused.py": ("1 / 0", ()),
    "network.yaml": (FILES["network.yaml"] + "  spa: {tasks: {relax: {steps: [{template: ah}]}}}\n", ("spa",)),
}


@pytest.mark.parametrize("path", EDITS)
def test_the_ensembles_that_differ_are_named(workspace: Workspace, path: str):
    (before, earlier), (text, names) = (read(workspace).network, bundled(read(workspace))), EDITS[path]
    (workspace.directory / path).write_text(text)
    after, later = read(workspace).network, bundled(read(workspace))
    assert before is not None
    assert after is not None
    assert changed(before, earlier, after, later) == names
