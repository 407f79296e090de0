"""Reads the hotel's ledgers. A module beside the others: they just import it."""

import csv
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data"


@cache
def rows(name: str) -> list[dict[str, str]]:
    """The lines of `data/NAME.csv`."""
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def room_in(text: str) -> str | None:
    """The room number that a text names: "room 403", or just "403"."""
    words = text.replace(",", " ").replace(".", " ").replace("?", " ").split()
    return next((word for word in words if word.isdecimal()), None)
