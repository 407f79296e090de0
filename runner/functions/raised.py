"""What user code raises: kept apart from what would stop the event loop, and put in words."""

from __future__ import annotations

from runner.soundness import cleaned

_MAX_MESSAGE = 2_000
_TYPE_SAYS_MORE = (LookupError, StopIteration, StopAsyncIteration)


class Escaped(Exception):
    """A function raised what passes every `except Exception`, or what no future can hold. `error` is what it raised.

    As it is, KeyboardInterrupt and SystemExit would stop the event loop, and StopIteration would leave the caller
    waiting for ever.
    """

    def __init__(self, error: BaseException) -> None:
        self.error = error
        super().__init__(type(error).__name__)


def ordinary(error: BaseException) -> Exception:
    """The error itself, or an Escaped that carries it."""
    return error if isinstance(error, Exception) and not isinstance(error, StopIteration) else Escaped(error)


def described(error: BaseException) -> str:
    """An exception's own message, cleaned and cut to a bound; its type is named where the message says too little."""
    if isinstance(error, Escaped):
        error = error.error
    text = words(error)
    if not text or not isinstance(error, Exception) or isinstance(error, _TYPE_SAYS_MORE):
        text = in_full(error)
    return text if len(text) <= _MAX_MESSAGE else f"{text[:_MAX_MESSAGE]}…"


def in_full(error: BaseException) -> str:
    """Type and text."""
    name, text = cleaned(type(error).__name__), words(error)
    return f"{name}: {text}" if text else name


def words(error: BaseException) -> str:
    """The text of an exception, cleaned; empty where it has none or cannot give it."""
    try:
        return cleaned(error.msg if isinstance(error, SyntaxError) else str(error)).strip()
    except BaseException:  # noqa: BLE001 - `__str__` is user code too
        return ""
