"""Lines of files without the secrets that are written into them, where a reference should stand."""

from __future__ import annotations

import re
from collections.abc import Callable

from runner.plan.changes import HIDDEN, SECRET_KEYS

_PLAIN = r"(?:(?!\s+#|,(?:\s|$)|[}\]](?:[\s,}\]]|$)).)+"
"""A scalar without quotes, to where it ends in a flow mapping: too much of it is hidden rather than too little."""

_SECRET = re.compile(
    rf"""(?P<key>\b(?:{"|".join(sorted(SECRET_KEYS))})["']?\s*:\s*)(?!["']?\$\{{)"""
    rf"""(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|(?=\S){_PLAIN})"""
)
_USER_INFO = re.compile(r"(?<=://)(?P<text>[^/?#\s\"']+)@")


def masked(line: str) -> str:
    """The line, in which a secret is `(hidden)`."""
    return _without(line, lambda _: HIDDEN)


def blotted(line: str) -> str:
    """The same, as long as it was, so that what is told of a column still fits."""
    return _without(line, lambda text: "•" * len(text))


def _without(line: str, shown: Callable[[str], str]) -> str:
    line = _SECRET.sub(lambda found: found["key"] + shown(found["text"]), line)
    return _USER_INFO.sub(lambda found: f"{shown(found['text'])}@", line)
