"""What every use may resolve to."""

from __future__ import annotations

from pathlib import Path

from runner.capability import CapabilityInfo
from runner.catalog import Catalog, declared
from runner.model import Discovery
from runner.routing.wiring import wiring
from runner.work import CapabilityType
from tests.support.networks import files_in, read

NETWORK = """\
network: inn
tags: {food: meals, stock: {description: counts, aliases: [inventory]}}
ensembles:
  desk:
    uses:
      cook: kitchen/cook
      count: {discover: count}
      edible: {tags: [food], select: round-robin}
      counted: {tags: [food, inventory]}
  kitchen:
    tools: {count: {python: "inn:count", share: [food, stock]}}
    tasks: {cook: {share: [food], steps: [{tool: count}]}}
  cellar:
    tools: {count: {python: "inn:count", share: [inventory]}}
    uses: {own-kind: {discover: count}}
"""


def test_the_wiring_lists_every_use_with_its_candidates(tmp_path: Path):
    network = read(files_in(tmp_path, {"network.yaml": NETWORK, "inn.py": "def count(text: str) -> str: ..."}))
    drawn = [
        f"{edge.ensemble} {edge.use.name}: {'discovered' if edge.discovered else 'static'} "
        + " ".join(f"{c.provider}/{c.name}" for c in edge.candidates)
        for edge in wiring(network)
    ]
    assert drawn == [
        "cellar own-kind: discovered kitchen/count",
        "desk cook: static kitchen/cook",
        "desk count: discovered cellar/count kitchen/count",
        "desk counted: discovered kitchen/count",
        "desk edible: discovered kitchen/cook kitchen/count",
    ]
    assert declared(network).find(tags=["stock"]) == declared(network).find(name="count")


def test_nobody_is_discovered_by_its_own_ensemble():
    catalog = Catalog.of([CapabilityInfo(name="x", type=CapabilityType.TOOL, provider="a")])
    assert catalog.providers_for(Discovery("x", ()), asking="a") == ()
