"""Did you mean: the one place that guesses what a name was meant to be."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_MOST_NAMES = 500


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, or None when nothing comes close. Case does not count.

    Among very many names nothing is guessed: a file full of wrong names would take minutes.
    """
    by_folded = {candidate.lower(): candidate for candidate in known}
    if len(by_folded) > _MOST_NAMES:
        return by_folded.get(name.lower())
    found = get_close_matches(name.lower(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str], *, otherwise: str | None = None) -> str | None:
    """A hint that names the closest known name, or else lists the few there are, or else says `otherwise`."""
    names = list(known)
    if (guess := closest(name, names)) is not None:
        return f"did you mean `{guess}`?"
    if otherwise is None and 0 < len(names) <= 8:
        return f"there is {listed(names)}" if len(names) == 1 else f"there are {listed(sorted(names))}"
    return otherwise


def listed(names: Iterable[str], *, joint: str = "and") -> str:
    """`a`, `b` and `c`."""
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {joint} {quoted[-1]}"
