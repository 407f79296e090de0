"""Reports as tables. With no width given (a pipe, a file) nothing is cut or wrapped."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from runner.cli.render.style import cells, counted, visible
from runner.reports import CatalogEntry, EnsembleReport, GenerationReport, RequestReport, RunnerReport, StatusReport
from runner.work import EnsembleState, Status

_UNLIMITED = 10_000
_GAP = 2
_SHOWN = 4
_MAY_GO = ("ATTEMPTS", "PRIORITY", "TOOK", "SUBMITTED", "STATE")
_STATE_STYLES = {
    EnsembleState.READY.value: "green",
    EnsembleState.STARTING.value: "yellow",
    EnsembleState.DEGRADED.value: "yellow",
    EnsembleState.DRAINING.value: "yellow",
    EnsembleState.FAILED.value: "red",
    EnsembleState.GONE.value: "red",
    EnsembleState.STOPPED.value: "dim",
    Status.COMPLETED.value: "green",
    **{status.value: "red" for status in Status if status is not Status.COMPLETED},
    "PENDING": "yellow",
}


def status(report: StatusReport, *, width: int | None = None, colour: bool = False) -> str:
    """The runners, then every ensemble."""
    lines = [f"{visible(report.network)}, generation {report.generation}"]
    lines += [visible(_runner_line(runner, report)) for runner in report.runners]
    if not report.last_reload.ok:
        lines += ["  the last reload failed:", *(f"    {visible(line)}" for line in report.last_reload.diagnostics)]
    if report.discovery_away is not None:
        lines += [f"  discovery: {visible(report.discovery_away)}; providers that are known stay in use"]
    rows = [_ensemble_row(ensemble) for ensemble in report.ensembles]
    heads = ["ENSEMBLE", "STATE", "REPLICAS", "IN FLIGHT", "QUEUED", "SHARES"]
    told = [line for ensemble in report.ensembles for line in _told(ensemble)]
    return "\n".join([*lines, "", table(heads, rows, width=width, colour=colour), *(["", *told] if told else [])])


def _told(ensemble: EnsembleReport) -> list[str]:
    """What a row has no room for."""
    pids = ", ".join(map(str, ensemble.pids))
    own = [f"{ensemble.name} runs in a process of its own (pid {pids})"] if pids else []
    why = [f"{ensemble.name}: {ensemble.detail}"] if ensemble.detail else []
    gone = [_removed(ensemble)] if ensemble.removed else []
    return [visible(line) for line in (*own, *why, *gone)]


def _runner_line(runner: RunnerReport, report: StatusReport) -> str:
    leads = ", leads" if runner.leads and len(report.runners) > 1 else ""
    lags = runner.generation is not None and runner.generation < report.generation
    still = f", still generation {runner.generation}" if lags else ""
    return (
        f"  runner {runner.id} (pid {runner.pid}) on {runner.url} since {_instant(runner.started_at)}{leads}{still}: "
        f"{', '.join(runner.ensembles) or 'no ensemble'}"
    )


def catalog(entries: Sequence[CatalogEntry], *, width: int | None = None, colour: bool = False) -> str:
    rows = [
        [
            f"{entry.provider}/{entry.name}",
            entry.type.value,
            ", ".join(entry.tags) or "-",
            entry.authority.lower(),
            entry.status.value,
            f"{entry.load:.0%}",
            entry.description or "",
        ]
        for entry in entries
    ]
    heads = ["CAPABILITY", "TYPE", "TAGS", "AUTHORITY", "STATUS", "LOAD", "DESCRIPTION"]
    return table(heads, rows, width=width, colour=colour) if rows else "nothing is on offer"


def requests(found: Sequence[RequestReport], *, width: int | None = None, colour: bool = False) -> str:
    """A row for each; in a narrow terminal the columns that matter least are left out, and no id is ever cut."""
    rows = [
        [
            f"{request.caller}/{request.request_id}",
            f"{request.provider}/{request.task}",
            request.status,
            request.state or "",
            request.priority.lower(),
            _instant(request.submitted_at),
            "" if request.duration_ms is None else f"{request.duration_ms:,.0f} ms",
            str(request.attempts),
        ]
        for request in found
    ]
    heads = ["REQUEST", "TASK", "STATUS", "STATE", "PRIORITY", "SUBMITTED", "TOOK", "ATTEMPTS"]
    if not rows:
        return "no requests"
    heads, rows = _narrowed(heads, rows, width)
    return table(heads, rows, width=None, colour=colour)


def history(found: Sequence[GenerationReport], *, width: int | None = None, colour: bool = False) -> str:
    """A row for each generation, the one that runs marked."""
    rows = [
        [
            f"{report.generation}{' *' if report.applied else ''}",
            _instant(report.at),
            report.by + (f", back to {report.restores}" if report.restores else ""),
            _few(report.ensembles),
            _few(report.files),
        ]
        for report in found
    ]
    heads = ["GENERATION", "APPLIED", "BY", "ENSEMBLES", "FILES"]
    return table(heads, rows, width=width, colour=colour) if rows else "nothing was applied yet"


def _few(names: Sequence[str]) -> str:
    """The first of many: `--json` has them all."""
    more = len(names) - _SHOWN
    shown = names if more <= 1 else names[:_SHOWN]
    return ", ".join(shown) + (f" and {more} more" if more > 1 else "") or "-"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, width: int | None, colour: bool) -> str:
    """Aligned columns with a heading, without trailing spaces."""
    built = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    for head in heads:
        built.add_column(head, overflow="fold")
    for row in rows:
        built.add_row(*(Text(visible(cell), style=_STATE_STYLES.get(cell, "")) for cell in row))
    written = io.StringIO()
    Console(file=written, width=width or _UNLIMITED, color_system="standard" if colour else None).print(built)
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines())


def _narrowed(heads: list[str], rows: list[list[str]], width: int | None) -> tuple[list[str], list[list[str]]]:
    """Without as many of the columns that may go as it takes to fit, in their order."""
    going = [head for head in _MAY_GO if head in heads]
    while width is not None and going and _natural_width(heads, rows) > width:
        column = heads.index(going.pop(0))
        heads, *rows = [[*row[:column], *row[column + 1 :]] for row in (heads, *rows)]
    return heads, rows


def _natural_width(heads: list[str], rows: list[list[str]]) -> int:
    columns = zip(heads, *rows, strict=True)
    return sum(max(cells(visible(cell)) for cell in column) + _GAP for column in columns) - _GAP


def _ensemble_row(ensemble: EnsembleReport) -> list[str]:
    queued = {name: amount for name, amount in ensemble.queued if amount}
    return [
        ensemble.name,
        ensemble.state.value,
        str(ensemble.replicas),
        str(ensemble.in_flight),
        (", ".join(f"{amount} {name}" for name, amount in queued.items()) or "0")
        + (" (held)" if ensemble.held else ""),
        ", ".join(ensemble.capabilities) or "-",
    ]


def _removed(ensemble: EnsembleReport) -> str:
    held = f"; {counted(ensemble.held, 'task')} held for its return" if ensemble.held else ""
    return f"{ensemble.name} is removed from the files{held}"


def _instant(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")
