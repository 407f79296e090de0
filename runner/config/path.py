"""The way to a value in a document: keys and places in lists, from the root."""

from __future__ import annotations

Path = tuple[str | int, ...]
