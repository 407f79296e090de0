"""What each code means: a page of `explanations/` each, with an example that fails and the same one fixed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from runner.config.suggest import did_you_mean

_PAGES = files("runner.config") / "explanations"
_BLOCK = re.compile(r"^(```+)\S* title=(\S+)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
_HEADINGS = re.compile(r"^## (Fails|Fixed)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Explanation:
    """One code. The examples are texts by file name; for what happens at run time, commands by `shell`."""

    code: str
    summary: str
    story: str
    failing: Mapping[str, str]
    fixed: Mapping[str, str]


def codes() -> tuple[str, ...]:
    """Every code that has an explanation, sorted."""
    return tuple(sorted(page.name.removesuffix(".md") for page in _PAGES.iterdir() if page.name.endswith(".md")))


def explain(code: str) -> Explanation:
    """The explanation of a code. Case does not count. Raises KeyError, with a hint as its second argument."""
    by_folded = {known.lower(): known for known in codes()}
    found = by_folded.get(code.lower())
    if found is None:
        raise KeyError(code, did_you_mean(code, codes()))
    return parse_page(found, (_PAGES / f"{found}.md").read_text(encoding="utf-8"))


def parse_page(code: str, page: str) -> Explanation:
    """Read a page: a title, the story, and under `## Fails` and `## Fixed` code blocks titled by file name."""
    head, _, failing, _, fixed = _HEADINGS.split(page)
    title, _, story = head.strip().partition("\n")
    return Explanation(code, title.removeprefix("# "), story.strip(), _blocks(failing), _blocks(fixed))


def _blocks(section: str) -> dict[str, str]:
    return {title: text for _, title, text in _BLOCK.findall(section)}
