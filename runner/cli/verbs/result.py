"""`run-network result`: the outcome of a request."""

from __future__ import annotations

from typing import Annotated

import typer

from runner.cli import answer
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, NetworkFile, RequestName, Verbose, duration, request_name
from runner.cli.session import NetworkClient, conversing
from runner.work import Standing, WorkResponse


def run(
    request: RequestName,
    file: NetworkFile = DEFAULT_FILE,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Say where it stands and exit 5 if not done.")] = False,
    timeout: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Wait at most this long, then exit 5.")
    ] = None,
    as_json: AsJson = False,
    nats: Nats = None,
    verbose: Verbose = False,
) -> int:
    """Wait for the outcome of a task and print it. Exits 1 if it did not complete, 5 if it is pending.

    \b
      run-network result 5f0c…                   until it is done, or its deadline
      run-network result 5f0c… --timeout 10s
      run-network result 5f0c… --no-wait
    """
    request_name(request)
    limit = duration(timeout, "--timeout")
    seconds = limit.total_seconds() if limit is not None else None

    async def ask(network: NetworkClient) -> WorkResponse | Standing:
        return await network.result(request, wait=not no_wait, timeout=seconds)

    return answer.tell(conversing(file, nats, ask), as_json=as_json)
