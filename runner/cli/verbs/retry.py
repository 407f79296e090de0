"""`run-network retry`: queue dead letters again."""

from __future__ import annotations

from typing import Annotated

import typer

from runner.cli import output
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, NetworkFile, Verbose, request_name
from runner.cli.render.style import visible
from runner.cli.session import NetworkClient, conversing
from runner.errors import UsageProblem
from runner.reports import RetryReport


def run(
    request: Annotated[str | None, typer.Argument(metavar="[ID]", help="A dead letter's id, or CALLER/ID.")] = None,
    file: NetworkFile = DEFAULT_FILE,
    every: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
    as_json: AsJson = False,
    nats: Nats = None,
    verbose: Verbose = False,
) -> int:
    """Queue a dead letter again: a task that was started too often and never came to an end.

    \b
      run-network requests --state dead
      run-network retry 5f0c…
      run-network retry _client-erp/order-17
      run-network retry --all

    It has its whole deadline before it again, and no start counts any more. `result ID` waits for its outcome.
    """
    if request is None and not every:
        raise UsageProblem("say which request to retry, or --all", hint="`run-network requests --state dead`")
    if request is not None and every:
        raise UsageProblem("--all retries every dead letter: say it without an id", hint="or the id without --all")
    if request is not None:
        request_name(request)

    async def ask(network: NetworkClient) -> list[RetryReport]:
        if request is not None:
            return [await network.retry(request)]
        dead = await network.requests("DEAD")
        return [await network.retry(f"{letter.caller}/{letter.request_id}") for letter in dead]

    retried = conversing(file, nats, ask)
    if as_json:
        documents = [output.plain(report, keep_none=False) for report in retried]
        output.document(documents if every else documents[0])
    else:
        for report in retried:
            output.data(visible(f"{report.caller}/{report.request_id} is queued again with {report.provider}"))
        if not retried:
            output.talk("there are no dead letters")
    return 0
