"""The story of a code, as text and as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from runner.cli.render.style import paint
from runner.config.explain import Explanation


def story(explanation: Explanation, *, colour: bool = False) -> str:
    """Code, summary, story, and the two examples file by file."""
    parts = [
        f"{paint(explanation.code, 'bold', colour=colour)}: {explanation.summary}",
        explanation.story.strip(),
        *_example("This fails", explanation.failing, colour),
        *_example("This works", explanation.fixed, colour),
    ]
    return "\n\n".join(part for part in parts if part)


def listing(explanations: Sequence[Explanation]) -> str:
    """One line a code."""
    width = max((len(explanation.code) for explanation in explanations), default=0)
    return "\n".join(f"{explanation.code:<{width}}  {explanation.summary}" for explanation in explanations)


def as_json(explanation: Explanation) -> JsonValue:
    return {
        "code": explanation.code,
        "summary": explanation.summary,
        "story": explanation.story,
        "failing": dict(explanation.failing),
        "fixed": dict(explanation.fixed),
    }


def _example(title: str, files: Mapping[str, str], colour: bool) -> list[str]:
    if not files:
        return []
    shown = [paint(f"{title}:", "bold", colour=colour)]
    for name, text in files.items():
        body = "\n".join(f"    {line}".rstrip() for line in text.strip("\n").splitlines())
        shown.append(f"  # {name}\n{body}")
    return ["\n".join(shown)]
