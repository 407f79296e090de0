"""`run-network cancel`: cancel a request."""

from __future__ import annotations

from runner.cli import answer
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, NetworkFile, RequestName, Verbose
from runner.cli.session import Client, conversing
from runner.work import Standing, WorkResponse


def run(
    request: RequestName,
    file: NetworkFile = DEFAULT_FILE,
    as_json: AsJson = False,
    nats: Nats = None,
    verbose: Verbose = False,
) -> int:
    """Cancel a request. One that has its outcome keeps it.

    \b
      run-network cancel 5f0c…
      run-network cancel _client-erp/order-17
    """

    async def ask(network: Client) -> WorkResponse | Standing:
        return await network.cancel(request)

    return answer.tell(conversing(file, nats, ask), as_json=as_json)
