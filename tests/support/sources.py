"""Networks in memory, and what reading them says, as text."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping

from runner.config.reading import Reading, read_network
from runner.diagnostics import Diagnostic
from runner.workspace import MAX_FILE_BYTES, OutsideDirectory


class MemorySource:
    """Files by their path from the network file's directory. `links` name paths that lead outside it."""

    def __init__(self, files: Mapping[str, str | bytes], links: Iterable[str] = ()) -> None:
        self.files = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
        self.links = frozenset(links)

    def read(self, path: str) -> bytes:
        if path in self.links or path.startswith(("/", "../")):
            raise OutsideDirectory(path)
        if "\0" in path:
            raise ValueError("embedded null byte")
        if path not in self.files:
            is_folder = any(posixpath.dirname(file) == path for file in self.files)
            raise IsADirectoryError(path) if is_folder else FileNotFoundError(path)
        return self.files[path][: MAX_FILE_BYTES + 1]


def read(
    files: str | bytes | Mapping[str, str | bytes],
    env: Mapping[str, str] | None = None,
    *,
    links: Iterable[str] = (),
    cautious: bool = False,
    locked: bool = False,
) -> Reading:
    """Read a network from memory: a mapping of files, or the network file alone."""
    source = MemorySource({"network.yaml": files} if isinstance(files, (str, bytes)) else files, links)
    return read_network(source, "network.yaml", env or {}, cautious=cautious, locked=locked)


def printed(diagnostics: Iterable[Diagnostic]) -> str:
    """Diagnostics as the concise format prints them, each with its hint on a line below."""
    lines = []
    for diagnostic in diagnostics:
        span = diagnostic.span
        place = f"{span.file}:{span.line}:{span.column}"
        lines.append(f"{place}: {diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}")
        if diagnostic.hint is not None:
            lines.append(f"  hint: {diagnostic.hint}")
    return "\n".join(lines)


def said(
    files: str | bytes | Mapping[str, str | bytes],
    env: Mapping[str, str] | None = None,
    *,
    links: Iterable[str] = (),
    cautious: bool = False,
    locked: bool = False,
) -> str:
    """What reading a network from memory says."""
    return printed(read(files, env, links=links, cautious=cautious, locked=locked).diagnostics)


def codes(reading: Reading) -> list[str]:
    return sorted({str(diagnostic.code) for diagnostic in reading.diagnostics})
