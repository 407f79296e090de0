"""A catalog that goes from one process to another: each hashes in its own way, and both find the same in it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import pytest

from runner.catalog import Catalog

MAKE = """
import pickle, sys
from runner.capability import CapabilityInfo
from runner.catalog import Catalog
from runner.work import CapabilityType

offered = [
    CapabilityInfo(name="same", type=CapabilityType.TOOL, provider=f"e{number}", tags=("all",))
    for number in range(int(sys.argv[1]))
]
sys.stdout.buffer.write(pickle.dumps(Catalog.of(offered)))
"""


@pytest.mark.parametrize("seed", ["1", "2"])
@pytest.mark.parametrize("many", [3, 40, 1500])
def test_all_that_one_process_put_in_is_found_by_another(seed: str, many: int) -> None:
    made = subprocess.run(
        [sys.executable, "-c", MAKE, str(many)],
        env={**os.environ, "PYTHONHASHSEED": seed},
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    catalog = pickle.loads(made.stdout)
    assert isinstance(catalog, Catalog)
    missing = [number for number in range(many) if catalog.get(f"e{number}", "same") is None]
    assert missing == []
    assert len(tuple(catalog.find(name="same", tags=("all",)))) == many
