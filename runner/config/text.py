"""Bytes → text, or the reason why not; and offsets in a text → spans."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property

from runner.config.codes import Rule
from runner.diagnostics import Diagnostic, Span
from runner.workspace import MAX_FILE_BYTES

_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")
_BYTE_ORDER_MARK = "\ufeff"
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Text:
    """The text of one file, and where each offset of it is. Lines end at a line feed, as editors count them."""

    def __init__(self, file: str, content: str) -> None:
        self.file = file
        self.content = content

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.content))]

    def span(self, start: int, end: int) -> Span:
        """The stretch between two offsets, cut at the end of its first line so that an excerpt stays one line."""
        start = min(start, len(self.content))
        line = bisect_right(self._line_starts, start) - 1
        line_start = self._line_starts[line]
        line_end = self.content.find("\n", start)
        line_end = len(self.content) if line_end < 0 else line_end
        column, end_column = start - line_start, max(start, min(end, line_end)) - line_start
        return Span(self.file, line + 1, column + 1, line + 1, max(end_column, column + 1) + 1)


def decode(file: str, data: bytes) -> tuple[Text | None, list[Diagnostic]]:
    """The text of a file without its byte order mark. None when nothing can be read from it."""
    if len(data) > MAX_FILE_BYTES:
        message = f"`{file}` is larger than {MAX_FILE_BYTES // 2**20} MB"
        hint = "split it: an ensemble may live in a file of its own"
        return None, [Diagnostic(Rule.TOO_LARGE, message, start_of(file), hint=hint)]
    try:
        content = data.decode()
    except UnicodeDecodeError as error:
        return None, [_not_utf8(file, data, error)]
    diagnostics = []
    if content.startswith(_BYTE_ORDER_MARK):
        content = content[1:]
        message = "the file starts with a byte order mark"
        hint = "save it as UTF-8 without a byte order mark"
        diagnostics.append(Diagnostic(Rule.BYTE_ORDER_MARK, message, start_of(file), hint=hint))
    return Text(file, content), diagnostics


def forbidden(text: Text) -> list[Diagnostic]:
    """The first character that YAML does not allow, if there is one."""
    found = _FORBIDDEN.search(text.content)
    if found is None:
        return []
    message = f"the control character U+{ord(found[0]):04X} is not allowed in YAML"
    hint = 'delete it, or write it as an escape in double quotes, such as "\\0"'
    return [Diagnostic(Rule.CONTROL_CHARACTER, message, text.span(*found.span()), hint=hint)]


def start_of(file: str) -> Span:
    return Span(file, 1, 1, 1, 2)


def _not_utf8(file: str, data: bytes, error: UnicodeDecodeError) -> Diagnostic:
    if data.startswith(_WIDE_MARKS):
        message, span = "the file is UTF-16, not UTF-8", start_of(file)
    else:
        message = f"the byte 0x{data[error.start]:02X} is not UTF-8"
        before = data[: error.start].decode()
        span = Text(file, before + "?").span(len(before), len(before) + 1)
    return Diagnostic(Rule.NOT_UTF8, message, span, hint="save the file as UTF-8")
