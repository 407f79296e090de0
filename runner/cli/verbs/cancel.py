"""`run-network cancel`: cancel a request."""

from __future__ import annotations

from runner.cli import output
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, NetworkFile, RequestName, Verbose, request_name
from runner.cli.render.style import visible
from runner.cli.session import NetworkClient, conversing
from runner.work import Standing


def run(
    request: RequestName,
    file: NetworkFile = DEFAULT_FILE,
    as_json: AsJson = False,
    nats: Nats = None,
    verbose: Verbose = False,
) -> int:
    """Cancel a request, and say where it stands. One that has its outcome keeps it.

    \b
      run-network cancel 5f0c…
      run-network cancel _client-erp/order-17
    """

    request_name(request)

    async def ask(network: NetworkClient) -> Standing:
        return await network.cancel(request)

    standing = conversing(file, nats, ask)
    if as_json:
        output.document(output.plain(standing, keep_none=False))
    else:
        status = standing.response.status if standing.response else standing.state or standing.status
        output.data(visible(f"{request} is {status}"))
    return 0
