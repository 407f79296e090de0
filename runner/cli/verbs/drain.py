"""`run-network drain`: take an ensemble out of service, or bring it back."""

from __future__ import annotations

from typing import Annotated

import typer

from runner.cli import output
from runner.cli.options import DEFAULT_FILE, AsJson, Nats, NetworkFile, Verbose
from runner.cli.render.style import visible
from runner.cli.session import NetworkClient, conversing
from runner.reports import EnsembleReport
from runner.work import EnsembleState


def run(
    ensemble: Annotated[str, typer.Argument(metavar="ENSEMBLE", help="An ensemble of the running network.")],
    file: NetworkFile = DEFAULT_FILE,
    resume: Annotated[bool, typer.Option("--resume", help="Bring a drained ensemble up again.")] = False,
    as_json: AsJson = False,
    nats: Nats = None,
    verbose: Verbose = False,
) -> int:
    """Take an ensemble out of service on all its runners: it takes nothing more and finishes what it has in hand.

    \b
      run-network drain kitchen
      run-network drain kitchen --resume

    What is in hand may take `defaults.drain_timeout`; who is not done by then is named. What waits stays queued until
    the ensemble is back, or its deadline has passed. Whoever discovers a capability goes past it at once. Exit code 1
    says that somebody was not done in time, or that it did not come up; 5 that it is still on its way.
    """

    async def ask(network: NetworkClient) -> EnsembleReport:
        return await network.drain(ensemble, resume=resume)

    report = conversing(file, nats, ask)
    if as_json:
        output.document(output.plain(report, keep_none=False))
    else:
        queued = sum(report.queued.model_dump().values())
        output.data(visible(f"{report.name} is {report.state}; {queued} tasks wait"))
        if report.detail:
            output.data(visible(report.detail))
    return _exit_code(report, resume=resume)


def _exit_code(report: EnsembleReport, *, resume: bool) -> int:
    """5 while it is still on its way; 1 where somebody kept it waiting in vain, or it did not come up."""
    moving, wanted = (
        (EnsembleState.STARTING, EnsembleState.READY) if resume else (EnsembleState.DRAINING, EnsembleState.STOPPED)
    )
    if report.state is moving:
        return 5
    return 0 if report.state is wanted and not report.detail else 1
