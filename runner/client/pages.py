"""A whole list from the network's runners, which may be longer than one message carries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import TypeAdapter

from runner.reports import PAGE_ENTRIES, PageRequest

Entry = TypeVar("Entry")


async def whole(
    verb: str,
    adapter: TypeAdapter[tuple[Entry, ...]],
    wanted: PageRequest,
    ask: Callable[[str, bytes], Awaitable[bytes]],
) -> tuple[Entry, ...]:
    """Everything that is wanted, page by page; `ask` takes a verb and a body."""
    entries: tuple[Entry, ...] = ()
    while True:
        part = wanted.model_copy(update={"offset": len(entries)})
        page = adapter.validate_json(await ask(verb, part.model_dump_json().encode()))
        entries += page
        if len(page) < PAGE_ENTRIES:
            return entries
