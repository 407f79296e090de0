"""The table of the field classes stands in the documentation as it is in the code."""

from __future__ import annotations

import re
from pathlib import Path

from runner.plan.page import table

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
_PLACE = re.compile(r"(<!-- generated:[^\n]*-->\n)(.*?)(\n<!-- end -->)", re.DOTALL)


def test_the_table_of_the_documentation_is_up_to_date() -> None:
    """Stale: run `python -m tests.plan.test_page`."""
    found = _PLACE.search(PAGE.read_text(encoding="utf-8"))
    assert found is not None
    assert found[2] == table()


def test_a_part_has_a_row_where_a_key_differs_from_it() -> None:
    titles = [line.split(" | ")[0].removeprefix("| ") for line in table().splitlines()[2:]]
    assert titles == [
        "the network file",
        "an ensemble",
        "an ensemble: `health`",
        "an ensemble: `tools.*`",
        "an ensemble: `tasks.*`",
        "a script",
        "Python files",
    ]


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_PLACE.sub(lambda place: place[1] + table() + place[3], text), encoding="utf-8")
