"""The options of `call`, each with its help."""

from __future__ import annotations

from typing import Annotated

import typer

TargetName = Annotated[str, typer.Argument(metavar="TARGET", help="ENSEMBLE/CAPABILITY, or a capability to discover.")]
Text = Annotated[str | None, typer.Argument(metavar="TEXT", help="What to say; - reads stdin.")]
Input = Annotated[str | None, typer.Option("--input", metavar="FILE", help="A JSON file to send instead of TEXT.")]
Document = Annotated[
    str | None,
    typer.Option("--document", metavar="FILE", help="A text or JSON file to put away and pass by reference."),
]
Tags = Annotated[list[str] | None, typer.Option(metavar="TAG", help="Only a provider that carries it.")]
ModeName = Annotated[
    str, typer.Option(metavar="MODE", help="await prints the result, async the request's id once accepted.")
]
Deadline = Annotated[str | None, typer.Option(metavar="DURATION", help="When the request expires.")]
Timeout = Annotated[
    str | None, typer.Option(metavar="DURATION", help="When to stop waiting (exit 5); the request goes on.")
]
PriorityName = Annotated[str | None, typer.Option(metavar="P", help="critical, high, normal or low.")]
AuthorityName = Annotated[str | None, typer.Option(metavar="LEVEL", help="autonomous, supervised or human_required.")]
DedupeBy = Annotated[
    str | None, typer.Option(metavar="BY", help="content: join a task of yours that asks for the same.")
]
RequestId = Annotated[
    str | None, typer.Option("--request-id", metavar="ID", help="Yours: a repeat returns the same outcome.")
]
Delivery = Annotated[
    str | None,
    typer.Option(metavar="WHERE", help="Also to queue:NAME, topic:NAME, store:KEY or one of the file; or none."),
]
OnDeadlineWord = Annotated[
    str,
    typer.Option("--on-deadline", metavar="WORD", help="fail, or continue with what was finished by the deadline."),
]
OnLateEtaWord = Annotated[
    str,
    typer.Option("--on-late-eta", metavar="WORD", help="accept, or continue without a provider that will be late."),
]
OnConstrainedWord = Annotated[
    str, typer.Option("--on-constrained", metavar="WORD", help="wait, or fail where too many wait already.")
]
CacheKey = Annotated[str | None, typer.Option("--cache-key", hidden=True)]
Fresh = Annotated[bool, typer.Option("--fresh", hidden=True)]
AsClient = Annotated[str | None, typer.Option("--as", hidden=True)]
NoHttp = Annotated[bool, typer.Option("--no-http", hidden=True)]
