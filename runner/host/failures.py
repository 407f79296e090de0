"""What a piece of work raises, as the error of its response."""

from __future__ import annotations

from runner.assignment import Assignment
from runner.errors import CallFailed, EnsembleNetworkError, Refused
from runner.functions.raised import Escaped, described
from runner.soundness import cleaned
from runner.steps.for_each import ItemFailed
from runner.templates import TemplateProblem
from runner.work import Code, WorkError


def explained(error: BaseException, where: str, assignment: Assignment) -> WorkError:
    """Code, message and hint; `where` is told when the error has no hint of its own.

    What nobody foresaw is logged with its traceback, which goes nowhere else.
    """
    match error:
        case ItemFailed():
            return explained(error.error, f"item {error.index} of {where}", assignment)
        case Refused():
            return WorkError(code=Code.REFUSED, message=described(error), hint=_hint(error))
        case CallFailed():
            return WorkError(code=_code(error), message=described(error), hint=_hint(error) or f"in {where}")
        case TemplateProblem():
            return WorkError(code=Code.TEMPLATE_FAILED, message=described(error), hint=f"in {where}")
        case _:
            raised = error.error if isinstance(error, Escaped) else error
            assignment.log.error("%s failed", where, exc_info=raised)
            hint = f"in {where}; the traceback is in the runner's log"
            return WorkError(code=Code.HANDLER_FAILED, message=described(error), hint=hint)


def _code(error: CallFailed) -> str:
    """The code, which user code may have chosen."""
    return cleaned(str(error.code))


def _hint(error: EnsembleNetworkError) -> str | None:
    return None if error.hint is None else cleaned(str(error.hint))
