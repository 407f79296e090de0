"""Where in the files a use is declared."""

from __future__ import annotations

from runner.config.document import Document, parse
from runner.config.library import located
from runner.config.path import Path
from runner.config.reading import Reading
from runner.diagnostics import Span


def place_of_use(reading: Reading, ensemble: str, use: str) -> Span | None:
    """The use's key; None where the files do not have it."""
    document = _document(reading, reading.file)
    place: Path = ("ensembles", ensemble)
    entry = document.at(place) if document is not None else None
    if isinstance(entry, str):
        document, place = _document(reading, located(entry, said_in=reading.file)), ()
    whole = (*place, "uses", use)
    if document is None or document.existing(whole) != whole:
        return None
    return document.span(whole, key=True)


def _document(reading: Reading, file: str | None) -> Document | None:
    content = reading.content(file) if file is not None else None
    return parse(file, content).document if file is not None and content is not None else None
