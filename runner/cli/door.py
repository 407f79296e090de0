"""The one door for failures: what any verb raises becomes words on stderr (or JSON on stdout) and an exit code."""

from __future__ import annotations

import errno
import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from typer import Abort, Exit, TyperException

from runner.cli import output, place
from runner.cli.render import problems
from runner.errors import EnsembleNetworkError, NotRunning, UsageProblem

FINE, INPUT, CHANGES, BUG, NOT_RUNNING, PENDING, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
SURROUNDINGS = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOTDIR}
    | {errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}
)
"""What the machine refuses: the user's to mend, never a bug of ours."""


def guarded(action: Callable[[], object], arguments: Sequence[str]) -> int:
    """Run the action; its int result, or what became of it, is the exit code."""
    before = arguments[: arguments.index("--")] if "--" in arguments else arguments
    try:
        outcome = action()
        if sys.stdout is not None:
            sys.stdout.flush()
        return outcome if isinstance(outcome, int) else FINE
    except Exit as left:
        return left.exit_code
    except (Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        output.abandon(output.stdout())
        return FINE
    except EnsembleNetworkError as error:
        return _tell(error, before)
    except TyperException as error:
        return _tell(_usage_problem(error), before)
    except Exception as bug:  # noqa: BLE001  the CLI's door
        if isinstance(bug, ConnectionError):
            return _tell(NotRunning("the server went away in the middle of it"), before)
        if isinstance(bug, OSError) and bug.errno in SURROUNDINGS:
            return _tell(_refused(bug), before)
        return _our_bug(bug, before)


def _options(arguments: Sequence[str]) -> frozenset[str]:
    """The options as typed, whatever verb they are of: needed even when parsing them failed."""
    joined = {f"{name}={value}" for name, value in pairwise(arguments)}
    return frozenset(arguments) | joined


def _tell(error: EnsembleNetworkError, arguments: Sequence[str]) -> int:
    if error.hint:
        error.hint = place.typed(arguments).pointed(error.hint)
    try:
        if _options(arguments) & {"--json", "--format=json"} and not isinstance(error, output.Unwritable):
            output.document(problems.as_json(error))
            return error.exit_code
    except output.Unwritable as unheard:
        output.talk(problems.human(unheard, colour=False))
    except BrokenPipeError:
        return error.exit_code
    output.talk(problems.human(error, colour=output.coloured(sys.stderr)))
    return error.exit_code


def _usage_problem(error: TyperException) -> UsageProblem:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "run-network"
    message = error.format_message().rstrip(".")
    return UsageProblem(message[:1].lower() + message[1:], hint=f"`{command} --help` shows how it is used")


def _refused(error: OSError) -> UsageProblem:
    """What the machine did not let us do."""
    if error.filename is None:  # a stream: only the parser's own help is written past `output`
        output.abandon(sys.stdout)
        return UsageProblem(f"the machine refuses: {error.strerror}")
    return UsageProblem(f"cannot use {os.fsdecode(error.filename)}: {error.strerror}")


def _our_bug(bug: Exception, arguments: Sequence[str]) -> int:
    problem = EnsembleNetworkError(f"this is a bug in run-network: {type(bug).__name__}: {bug}", code="bug")
    if _options(arguments) & {"-v", "--verbose"}:
        output.talk("".join(traceback.format_exception(bug)).rstrip())
    log = _log_bug(bug)
    problem.hint = (
        f"the traceback is in {log}; please report it" if log else "say it again with -v, and please report it"
    )
    _tell(problem, arguments)
    return BUG


def _log_bug(bug: Exception) -> str | None:
    """Keep the traceback, in the runner's log if there is one already, and say where; None where it cannot be."""
    handlers = [h for h in logging.getLogger().handlers if isinstance(h, logging.FileHandler)]
    if handlers:
        logging.getLogger("runner").error("a bug reached the command line", exc_info=bug)
        return handlers[0].baseFilename
    try:
        descriptor, name = tempfile.mkstemp(prefix="run-network-", suffix=".log")
        os.close(descriptor)
        Path(name).write_text("".join(traceback.format_exception(bug)), encoding="utf-8")
    except OSError:
        return None
    return name
