"""Colour as plain escape codes, and text made safe to print. Whoever asks for no colour gets the same words."""

from __future__ import annotations

import re
import unicodedata

_CODES = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35, "cyan": 36, "bold": 1, "dim": 2}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def paint(text: str, *styles: str, colour: bool) -> str:
    if not colour or not text:
        return text
    return f"\x1b[{';'.join(str(_CODES[style]) for style in styles)}m{text}\x1b[0m"


def visible(text: str) -> str:
    """The text on one line with nothing in it that moves a terminal: control characters show as escapes."""
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def visible_lines(text: str) -> str:
    """The same for a text of several lines, which stay lines."""
    return "\n".join(map(visible, text.split("\n")))


def cells(text: str) -> int:
    """How many terminal columns the text takes."""
    return sum(_width(character) for character in text)


def padded(text: str, width: int) -> str:
    return text + " " * max(0, width - cells(text))


def clipped(text: str, width: int) -> str:
    """The text, cut with an ellipsis to at most `width` characters."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
