"""The options that several verbs share, and how their words become values."""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, TypeVar

import typer

from runner.cli import journal
from runner.durations import parse_duration
from runner.errors import UsageProblem
from runner.work import CALLER_PATTERN, REQUEST_ID_PATTERN

DEFAULT_FILE = "network.yaml"
E_ = TypeVar("E_", bound=StrEnum)


class Format(StrEnum):
    """How `validate` prints diagnostics."""

    HUMAN = "HUMAN"
    CONCISE = "CONCISE"
    JSON = "JSON"
    GITHUB = "GITHUB"


def _speak(asked: bool) -> None:
    if asked:
        journal.speak()


NetworkFile = Annotated[str, typer.Option("--file", "-f", metavar="FILE", help="The network file.")]
Nats = Annotated[
    str | None,
    typer.Option("--nats", metavar="URL", help="A NATS server to use, instead of the one of this directory."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
IdleFile = Annotated[str, typer.Option("--file", "-f", hidden=True)]
"""For a verb that reads no network file: `-f` is accepted wherever somebody's habit puts it."""

RequestName = Annotated[str, typer.Argument(metavar="ID", help="A request's id, or CALLER/ID.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Show the runner's log, and tracebacks.", callback=_speak)
]


def duration(text: str | None, option: str) -> timedelta | None:
    """An option's duration. Raises UsageProblem."""
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageProblem(f"{option}: {error}") from None


def member(kind: type[E_], text: str | None, option: str) -> E_ | None:
    """An option's word as a member of an enum, in any case. Raises UsageProblem with the words that work."""
    if text is None:
        return None
    try:
        return kind(text.upper().replace("-", "_"))
    except ValueError:
        words = ", ".join(f"`{m.lower()}`" for m in kind)
        raise UsageProblem(f"{option}: `{text}` is none of {words}") from None


def request_name(text: str, what: str = "request id") -> tuple[str | None, str]:
    """Caller, where it is said, and id of `ID` or `CALLER/ID`. Raises UsageProblem for what is neither."""
    caller, slash, own_id = text.rpartition("/")
    if not re.fullmatch(REQUEST_ID_PATTERN, own_id) or (slash and not re.fullmatch(CALLER_PATTERN, caller)):
        raise UsageProblem(
            f"`{text}` is no {what}",
            hint="say ID or CALLER/ID: an id is at most 128 letters, digits, `-` and `_`",
        )
    return (caller if slash else None), own_id


def refuse_later(**asked: object) -> None:
    """Raise UsageProblem for an option that a coming version brings. Keys are option names, `_` for `-`."""
    for name, value in asked.items():
        if value:
            option = "--" + name.strip("_").replace("_", "-")
            raise UsageProblem(f"`{option}` is not yet supported", hint="leave it out; a later version brings it")
