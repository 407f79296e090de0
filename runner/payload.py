"""What travels by reference: a context or result too large for a message, and a document that a caller put away itself.

On the wire it is `{"$payload": {"object": NAME, "bytes": N, "sha256": HEX}}`, an object of the network's bucket
`payloads`. A caller's own reference may leave `bytes` and `sha256` out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Protocol, TypeGuard

from pydantic import Field, JsonValue, ValidationError
from pydantic_core import from_json, to_json

from runner.soundness import unsound
from runner.work import Code, Wire, WorkError

MARK = "$payload"
INLINE_BYTES = 512 * 1024
"""The most bytes of JSON that a value has in a message."""

JSON_TYPE, TEXT_TYPE = "application/json", "text/plain"
_HINT = 'say `{"$payload": {"object": NAME}}`; `bytes` and `sha256` may stand beside the name'


class Reference(Wire):
    """Names an object, and what must be in it where that is known."""

    object: Annotated[str, Field(min_length=1, max_length=512)]
    size: Annotated[int | None, Field(alias="bytes", ge=0)] = None
    sha256: Annotated[str | None, Field(pattern="^[0-9a-f]{64}$")] = None

    def told(self) -> dict[str, JsonValue]:
        """As it stands in a message, in place of the value."""
        return {MARK: self.model_dump(by_alias=True, exclude_none=True)}


class PayloadProblem(Exception):
    """A payload cannot be carried, however often it is tried; `error` is for the caller."""

    def __init__(self, code: Code, message: str, hint: str) -> None:
        self.error = WorkError(code=code, message=message, hint=hint)
        super().__init__(message)


class PayloadsAway(Exception):
    """The object store does not answer: it may be better later."""


class Kind(StrEnum):
    """What the bytes of an object are."""

    JSON = JSON_TYPE
    TEXT = TEXT_TYPE
    UNSAID = ""


@dataclass(frozen=True, slots=True)
class Document:
    """The bytes of an object; `name` is what messages call it."""

    name: str
    data: bytes | bytearray
    kind: Kind

    def value(self) -> JsonValue:
        """Text is itself, JSON its value; where nobody says which, mappings and lists are JSON. Raises PayloadProblem.

        Text is UTF-8.
        """
        if self.kind is Kind.JSON:
            return self._json()
        if self.kind is Kind.UNSAID and self.data[:64].lstrip()[:1] in (b"{", b"["):
            try:
                return self._json()
            except PayloadProblem:
                pass
        try:
            return self.data.decode()
        except UnicodeDecodeError as problem:
            message = f"{self.name} is neither text nor JSON: {problem.reason} at byte {problem.start}"
            raise PayloadProblem(Code.INVALID_INPUT, message, "put UTF-8 text or JSON into it") from None

    def _json(self) -> JsonValue:
        try:
            value: JsonValue = from_json(self.data, allow_inf_nan=False)
        except ValueError as problem:
            message = f"{self.name} is no JSON: {problem}"
            raise PayloadProblem(Code.INVALID_INPUT, message, "put JSON into it, or say that it is text") from None
        if why := unsound(value):
            raise PayloadProblem(Code.INVALID_INPUT, f"{self.name} cannot be carried: it has {why}", _HINT)
        return value


class PayloadStore(Protocol):
    """Where payloads are put away. Both methods raise PayloadProblem and PayloadsAway."""

    async def store_payload(self, data: bytes, kept: timedelta) -> Reference:
        """Put JSON away under a name that nobody can guess, for this long."""
        ...

    async def load_payload(self, reference: Reference, most: int) -> Document:
        """What a reference names, of at most this many bytes, checked against what the reference says of it."""
        ...


def is_reference(value: JsonValue) -> TypeGuard[dict[str, JsonValue]]:
    """Whether a value stands for another. Such mappings mean nothing else, so that what is wrong with one is told."""
    return isinstance(value, dict) and len(value) == 1 and MARK in value


def reference_in(value: Mapping[str, JsonValue]) -> Reference:
    """The reference that a value is. Raises PayloadProblem where it is malformed."""
    try:
        return Reference.model_validate(value[MARK])
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(map(str, first["loc"])) or MARK
        raise PayloadProblem(Code.INVALID_INPUT, f"this is no reference: {where}: {first['msg']}", _HINT) from None


def encoded(value: JsonValue) -> bytes:
    """A value as the JSON that is put away."""
    return to_json(value)


def comparable(value: JsonValue, unknown: str) -> JsonValue:
    """What two values are compared by: of what travels by reference the hash of its content, whatever its name.

    Where the hash is not known it is `unknown`: what an object holds may change.
    """
    if not is_reference(value):
        return value
    try:
        return {MARK: reference_in(value).sha256 or unknown}
    except PayloadProblem:
        return value


def kind_of(name: str, headers: Mapping[str, object] | None) -> Kind:
    """What an object is, by its `Content-Type` or else the end of its name."""
    for header, value in (headers or {}).items():
        if header.lower() == "content-type":
            said = str(value[0] if isinstance(value, list) and value else value).split(";")[0].strip().lower()
            return Kind.JSON if said == JSON_TYPE or said.endswith("+json") else Kind.TEXT if said else Kind.UNSAID
    return Kind.JSON if name.lower().endswith(".json") else Kind.UNSAID


def over_limit(what: str, size: int, most: int, *, mend: str = "send less") -> PayloadProblem:
    """What is larger than the file allows."""
    return PayloadProblem(
        Code.PAYLOAD_TOO_LARGE,
        f"{what} is {size:,} bytes; `defaults.max_payload` allows {most:,}",
        f"{mend}, or raise `defaults.max_payload` in the network's file",
    )
