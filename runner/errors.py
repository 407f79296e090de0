"""The exception tree. Each class docstring is its default message; `hint` names the next step.

EnsembleNetworkError
├── InvalidNetwork        the file has errors (exit 1); carries the diagnostics
├── UsageProblem          the caller's own mistake (exit 1)
│   └── UnknownGeneration a generation that is not kept (exit 1)
├── NotRunning            no network is running here (exit 4)
├── AlreadyRunning        another runner holds this directory (exit 1)
├── ServerFailed          the NATS server could not be started or reached (exit 1)
│   └── NoRoom            it may not store what a stream is to hold (exit 1)
├── StartFailed           an ensemble did not come up (exit 1)
├── ReloadFailed          a changed configuration could not be applied; the one before works on (exit 1)
│   ├── RestartNeeded     what changed takes a restart (exit 1)
│   ├── PlanMoved         the files or the network are not what the plan was made from (exit 1)
│   └── MissingPermissions  the server does not let the ensembles do what they will need (exit 1)
├── CallFailed            a call did not complete; carries the wire error
└── Refused               user code refuses a request: a business failure, never retried
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from runner.diagnostics import Diagnostic


class EnsembleNetworkError(Exception):
    """Something went wrong in the ensemble network."""

    code: str = "network-error"
    hint: str | None = None
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str | None = None, *, hint: str | None = None, code: str | None = None) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.hint = hint if hint is not None else type(self).hint
        self.code = code or type(self).code
        super().__init__(self.message)


class InvalidNetwork(EnsembleNetworkError):
    """The network file has errors."""

    code = "invalid-network"
    hint = "run `run-network validate` to see them all"

    def __init__(self, diagnostics: Sequence[Diagnostic], sources: Mapping[str, str]) -> None:
        self.diagnostics = tuple(diagnostics)
        self.sources = dict(sources)
        super().__init__()


class UsageProblem(EnsembleNetworkError):
    """The command or call is not one this network understands."""

    code = "usage"


class UnknownGeneration(UsageProblem):
    """There is no such generation, or it is not kept any more."""

    code = "unknown-generation"
    hint = "`run-network history` lists those that are kept"

    @classmethod
    def of(cls, generation: int, kept: Sequence[int]) -> UnknownGeneration:
        """Says which are kept, oldest first."""
        if not kept or generation > kept[-1]:
            return cls(f"there is no generation {generation}: the last is {kept[-1] if kept else 'yet to come'}")
        return cls(f"generation {generation} is not kept any more: {kept[0]} to {kept[-1]} are")


class NotRunning(EnsembleNetworkError):
    """No network is running in this directory."""

    code = "not-running"
    hint = "start it with `run-network up`, or point at another with --file or --nats"
    exit_code = 4


class AlreadyRunning(EnsembleNetworkError):
    """A network is already running in this directory."""

    code = "already-running"
    hint = "see `run-network status`, add a runner with `run-network up --join`, or stop it with `run-network down`"


class ServerFailed(EnsembleNetworkError):
    """The NATS server could not be started or reached."""

    code = "server-failed"
    hint = "see .run-network/nats-server.log"


class NoRoom(ServerFailed):
    """The NATS server may not store what a stream is to hold."""

    hint = "raise the server's `max_file_store`, or the storage limit of the account"


class StartFailed(EnsembleNetworkError):
    """An ensemble did not come up."""

    code = "start-failed"


class ReloadFailed(EnsembleNetworkError):
    """The changed configuration could not be applied; the one before works on."""

    code = "reload-failed"
    hint = "mend it and save it again: `run-network validate` shows what the file says"


class RestartNeeded(ReloadFailed):
    """What changed cannot be applied while the network runs."""

    code = "restart-needed"
    hint = "stop it with `run-network down`, and start it again"


class PlanMoved(ReloadFailed):
    """The plan is not what applying the files would do now."""

    code = "plan-moved"
    hint = "`run-network plan` shows what applying them would do now"


class MissingPermissions(ReloadFailed):
    """The server does not let the ensembles do what they will need."""

    code = "missing-permissions"
    hint = "grant it in the server's configuration, reload that, and apply again"


class CallFailed(EnsembleNetworkError):
    """A call to another capability did not complete."""

    code = "CALL_FAILED"


class Refused(EnsembleNetworkError):
    """The request was refused."""

    code = "REFUSED"
