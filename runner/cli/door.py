"""The one door for failures: what any verb raises becomes words on stderr (or JSON on stdout) and an exit code."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from typer import Abort, Exit, TyperException

from runner.cli import output
from runner.cli.render import problems
from runner.errors import EnsembleNetworkError, UsageProblem

FINE, INPUT, BUG, NOT_RUNNING, PENDING, INTERRUPTED = 0, 1, 3, 4, 5, 130


def guarded(action: Callable[[], object], arguments: Sequence[str]) -> int:
    """Run the action; its int result, or what became of it, is the exit code."""
    options = _options(arguments)
    try:
        outcome = action()
        sys.stdout.flush()
        return outcome if isinstance(outcome, int) else FINE
    except Exit as left:
        return left.exit_code
    except (Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        return _reader_gone()
    except EnsembleNetworkError as error:
        return _tell(error, options)
    except TyperException as error:
        return _tell(_usage_problem(error), options)
    except Exception as bug:  # noqa: BLE001  the CLI's door
        return _our_bug(bug, options)


def _options(arguments: Sequence[str]) -> frozenset[str]:
    """The options as typed, whatever verb they are of: needed even when parsing them failed."""
    before = arguments[: arguments.index("--")] if "--" in arguments else arguments
    joined = {f"{name}={value}" for name, value in pairwise(before)}
    return frozenset(before) | joined


def _wants_json(options: frozenset[str]) -> bool:
    return bool(options & {"--json", "--format=json"})


def _tell(error: EnsembleNetworkError, options: frozenset[str]) -> int:
    if _wants_json(options):
        output.document(problems.as_json(error))
    else:
        output.talk(problems.human(error, colour=output.coloured(sys.stderr)))
    return error.exit_code


def _usage_problem(error: TyperException) -> UsageProblem:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "run-network"
    message = error.format_message().rstrip(".")
    return UsageProblem(message[:1].lower() + message[1:], hint=f"`{command} --help` shows how it is used")


def _our_bug(bug: Exception, options: frozenset[str]) -> int:
    problem = EnsembleNetworkError(f"this is a bug in run-network: {type(bug).__name__}: {bug}", code="bug")
    if options & {"-v", "--verbose"}:
        output.talk("".join(traceback.format_exception(bug)).rstrip())
    problem.hint = f"the traceback is in {_log_bug(bug)}; please report it"
    _tell(problem, options)
    return BUG


def _log_bug(bug: Exception) -> str:
    """Keep the traceback, in the runner's log if there is one already, and say where."""
    handlers = [h for h in logging.getLogger().handlers if isinstance(h, logging.FileHandler)]
    if handlers:
        logging.getLogger("runner").error("a bug reached the command line", exc_info=bug)
        return handlers[0].baseFilename
    descriptor, name = tempfile.mkstemp(prefix="run-network-", suffix=".log")
    os.close(descriptor)
    Path(name).write_text("".join(traceback.format_exception(bug)), encoding="utf-8")
    return name


def _reader_gone() -> int:
    """Whoever read our output has enough. Python's own flush at exit must find somewhere to write."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    return FINE
