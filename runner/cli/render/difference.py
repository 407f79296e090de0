"""How two bundles differ, file by file, in the unified format."""

from __future__ import annotations

import difflib

from runner.bundle import Bundled, differing
from runner.cli.render.masked import masked
from runner.cli.render.style import paint, visible
from runner.reports import DiffReport, FileReport

_NOTHING = "/dev/null"
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def difference(before: Bundled, after: Bundled) -> tuple[FileReport, ...]:
    """The files that differ, in order of path."""
    return tuple(_file(path, before, after) for path in differing(before.bundle, after.bundle))


def text(report: DiffReport, *, colour: bool = False) -> str:
    """One diff after the other, as `diff -u` prints them."""
    return "\n".join(_shown(file, colour=colour) for file in report.files)


def _file(path: str, before: Bundled, after: Bundled) -> FileReport:
    earlier, later = before.content(path), after.content(path)
    change = "added" if earlier is None else "removed" if later is None else "changed"
    try:
        before_lines, after_lines = _lines(earlier), _lines(later)
    except UnicodeDecodeError:
        return FileReport(path=path, change=change, diff=None)
    names = _NOTHING if earlier is None else f"a/{path}", _NOTHING if later is None else f"b/{path}"
    unified = difflib.unified_diff(before_lines, after_lines, *names, lineterm="")
    return FileReport(path=path, change=change, diff="\n".join(map(masked, unified)))


def _lines(data: bytes | None) -> list[str]:
    """The lines of a text, a last one without its end marked as `diff` does."""
    lines = (data or b"").decode().split("\n")
    if not lines[-1]:
        return lines[:-1]
    return [*lines[:-1], f"{lines[-1]}\n\\ No newline at end of file"]


def _shown(file: FileReport, *, colour: bool) -> str:
    if not file.diff:
        return visible(f"{file.path} {file.change}")
    return "\n".join(_line(line, colour=colour) for line in file.diff.split("\n"))


def _line(line: str, *, colour: bool) -> str:
    shown = "\t".join(map(visible, line.split("\t")))
    style = _COLOURS.get(line[:1])
    return paint(shown, style, colour=colour) if style else shown
