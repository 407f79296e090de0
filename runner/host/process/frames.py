"""Frames of the line between a runner and an ensemble's process. No input or output here.

A frame has a kind, a number that an answer repeats, a text and a body. The text of a question is its verb, a line feed
and its arguments as JSON; that of an answer is JSON. The body is bytes as they are.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

_HEAD = struct.Struct("!BQII")


class Kind(IntEnum):
    ASK = 1
    ANSWER = 2
    FAIL = 3
    TELL = 4


_KINDS = {kind.value: kind for kind in Kind}


class Garbled(ValueError):
    """What came is no frame, or larger than anything that is sent."""


@dataclass(frozen=True, slots=True)
class Frame:
    kind: Kind
    number: int
    text: bytes
    body: bytes = b""

    def encode(self) -> bytes:
        return _HEAD.pack(self.kind, self.number, len(self.text), len(self.body)) + self.text + self.body


class Frames:
    """Puts frames together from what arrives, in whatever pieces. `most` bounds the bytes of one frame."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._buffer = bytearray()

    def fed(self, data: bytes) -> list[Frame]:
        """The frames that are whole now. Raises Garbled."""
        self._buffer += data
        found, at = [], 0
        while len(self._buffer) - at >= _HEAD.size:
            kind, number, text, body = _HEAD.unpack_from(self._buffer, at)
            if text + body > self._most or kind not in _KINDS:
                raise Garbled(f"a frame of kind {kind} and {text + body:,} bytes")
            middle = at + _HEAD.size + text
            if len(self._buffer) < middle + body:
                break
            parts = bytes(self._buffer[middle - text : middle]), bytes(self._buffer[middle : middle + body])
            found.append(Frame(_KINDS[kind], number, *parts))
            at = middle + body
        del self._buffer[:at]
        return found
