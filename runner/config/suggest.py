"""Did you mean: the one place that guesses what a name was meant to be."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from difflib import SequenceMatcher, get_close_matches

_MOST_NAMES = 500
_MOST_LISTED = 8
_LIKE_WORDS = 0.6
_LIKE_VARIABLES = 0.8


def closest(name: str, known: Collection[str]) -> str | None:
    """The known name most like `name`, or None when nothing comes close. Case does not count.

    Among very many names nothing is guessed: a file full of wrong names would take minutes.
    """
    if len(known) > _MOST_NAMES:
        return name.lower() if name.lower() in known else None
    by_folded = {candidate.lower(): candidate for candidate in known}
    found = get_close_matches(name.lower(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def closest_variable(name: str, known: Collection[str]) -> str | None:
    """The environment variable that `name` is a slip of, or None.

    An environment is full of names that share words with others and mean something else: `BAR_TOKEN` is not meant by
    `SPA_TOKEN`, nor `KEY_2` by `KEY_1`. So every word has to be alike, and every number the same.
    """
    if len(known) > _MOST_NAMES:
        return closest(name, known)
    alike = {candidate: _alikeness(name.upper(), candidate.upper()) for candidate in sorted(known)}
    best = max(alike, key=alike.__getitem__, default=None)
    return best if best is not None and alike[best] >= _LIKE_VARIABLES else None


def _alikeness(name: str, other: str) -> float:
    """From 0 to 1; 1 where only case and underscores differ."""
    if name.replace("_", "") == other.replace("_", ""):
        return 1.0
    words, others = name.split("_"), other.split("_")
    if len(words) != len(others) or re.findall(r"\d+", name) != re.findall(r"\d+", other):
        return 0.0
    unlike = any(_ratio(one, two) < _LIKE_WORDS for one, two in zip(words, others, strict=True))
    return 0.0 if unlike else _ratio(name, other)


def _ratio(one: str, two: str) -> float:
    return SequenceMatcher(None, one, two, autojunk=False).ratio()


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
