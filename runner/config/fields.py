"""The kinds of value a user writes: names, durations, levels, expressions; and the manners all file models share."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue
from pydantic_core import PydanticCustomError

from runner.config.codes import Rule
from runner.durations import parse_duration
from runner.subjects import NAME_PATTERN

T = TypeVar("T")

STEP_ID_PATTERN = r"[a-z][a-z0-9_]*"
_MODULE = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
_DURATION_PATTERN = r"^\s*(P[0-9WDTHMS.]+|([0-9]+(\.[0-9]+)?(ms|d|h|m|s))+)\s*$"


class FileModel(BaseModel):
    """A mapping as written. Unknown keys are errors; what was not written is None, or its default."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, use_attribute_docstrings=True)


def problem(code: Rule, message: str, hint: str = "") -> PydanticCustomError:
    """An error with a code of ours; `shape` turns it into a diagnostic as it stands."""
    return PydanticCustomError(code, "{message}", {"message": message, "hint": hint})


def _refuse_null(value: object) -> object:
    if value is None:
        raise problem(Rule.WRONG_TYPE, "{key} is empty", "give it a value, or leave the key out")
    return value


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise problem(Rule.WRONG_TYPE, "{key} must be a duration", "write `30s`, `5m`, `1h30m` or `PT30M`")
    try:
        duration = parse_duration(value)
    except ValueError:
        message = "{key} is no duration: {value}"
        raise problem(Rule.INVALID_VALUE, message, "write `30s`, `5m`, `1h30m` or `PT30M`") from None
    if not duration:
        raise problem(Rule.INVALID_VALUE, "{key} must be longer than nothing", "write `30s`, `5m`, `1h30m` or `PT30M`")
    return duration


def _expression(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


Given = Annotated[T | None, BeforeValidator(_refuse_null)]
"""An optional key: it may be left out, and then is None, but not written without a value."""

Name = Annotated[str, Field(pattern=f"^{NAME_PATTERN}$")]
ToolName = Annotated[str, Field(pattern=f"^{NAME_PATTERN}(__{NAME_PATTERN})?$")]
Target = Annotated[str, Field(pattern=f"^{NAME_PATTERN}/{NAME_PATTERN}$")]
ScopePattern = Annotated[str, Field(pattern=rf"^(\*|{NAME_PATTERN}/(\*|{NAME_PATTERN}))$")]
StepId = Annotated[str, Field(pattern=f"^{STEP_ID_PATTERN}$")]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
PythonReference = Annotated[str, Field(pattern=rf"^{_MODULE}:[A-Za-z_]\w*$")]
FilePath = Annotated[str, Field(min_length=1)]
Duration = Annotated[
    timedelta,
    BeforeValidator(_duration, json_schema_input_type=Annotated[str, Field(pattern=_DURATION_PATTERN)]),
]
Expression = Annotated[str, BeforeValidator(_expression, json_schema_input_type=str | bool)]
Structure = JsonValue
"""Any data; its strings may hold templates."""

Level = Literal["autonomous", "supervised", "human_required"]
Urgency = Literal["critical", "high", "normal", "low"]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Bytes = Annotated[int, Field(ge=1, le=1024**3)]
