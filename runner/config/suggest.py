"""Did you mean: the one place that guesses what a name was meant to be."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches

_MOST_NAMES = 500
_MOST_LISTED = 8


def closest(name: str, known: Collection[str]) -> str | None:
    """The known name most like `name`, or None when nothing comes close. Case does not count.

    Among very many names nothing is guessed: a file full of wrong names would take minutes.
    """
    if len(known) > _MOST_NAMES:
        return name.lower() if name.lower() in known else None
    by_folded = {candidate.lower(): candidate for candidate in known}
    found = get_close_matches(name.lower(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def did_you_mean(name: str, known: Collection[str], *, otherwise: str | None = None) -> str | None:
    """A hint that names the closest known name, or else says `otherwise`, or else lists the few names there are."""
    if (guess := closest(name, known)) is not None:
        return f"did you mean `{guess}`?"
    if otherwise is None and 0 < len(known) <= _MOST_LISTED:
        return f"there {'is' if len(known) == 1 else 'are'} {listed(sorted(known))}"
    return otherwise


def listed(names: Iterable[str], *, joint: str = "and") -> str:
    """`a`, `b` and `c`."""
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {joint} {quoted[-1]}"
