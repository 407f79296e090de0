"""A network held to its lock: what drifted is an error, where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runner.config.codes import Rule
from runner.config.draft import Draft
from runner.config.kept import Kept
from runner.config.library import Library, Source, Unread
from runner.config.loading import Loader
from runner.config.lock import Drift, Lock, Moved, bound, drifts, lock_as_read, lock_name, lock_of
from runner.config.lock_file import LockFile
from runner.config.references import References
from runner.config.shape import shape
from runner.config.text import start_of
from runner.config.written import Written
from runner.diagnostics import Diagnostic, Severity, Span
from runner.model import Network

_HINT = "see what changed and lock it anew with `run-network lock --update`"


@dataclass(frozen=True, slots=True)
class NoLock:
    """Why there is none to hold to; `missing` where there is no such file."""

    diagnostics: tuple[Diagnostic, ...]
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """A lock, and where everything in it stands."""

    lock: Lock
    written: Written


def held(loader: Loader, draft: Draft, network: Network, file: str) -> Network | None:
    """The network with its uses bound to what the lock beside `file` says; None where that does not hold."""
    match opened(loader, file):
        case NoLock(diagnostics):
            loader.diagnostics += diagnostics
            return None
        case Opened(lock, written):
            drifted = list(_drifted(draft, lock, network, written))
            loader.diagnostics += drifted
            return None if drifted else bound(network, lock)


def read_lock(source: Source, file: str) -> Opened | NoLock:
    """The lock beside a network file, held against nothing."""
    library = Library(source)
    return opened(Loader(library, References({}, library), Kept()), file)


def opened(loader: Loader, file: str) -> Opened | NoLock:
    """The lock that stands beside a network file."""
    path = lock_name(file)
    data = loader.library.fetch(path)
    if isinstance(data, Unread):
        missing = data.code is Rule.MISSING_FILE
        message = f"there is no `{path}` to hold the network to" if missing else data.message
        hint = "write it with `run-network lock`" if missing else data.hint
        code = Rule.MISSING_LOCK if missing else data.code
        return NoLock((Diagnostic(code, message, start_of(path), hint=hint),), missing)
    before = len(loader.diagnostics)
    document = loader.parse(path, data)
    written = Written.of(document) if document is not None else None
    shaped, diagnostics = shape(LockFile, written) if written is not None else (None, [])
    said = (*loader.diagnostics[before:], *diagnostics)
    del loader.diagnostics[before:]
    if written is None or shaped is None or any(d.severity is Severity.ERROR for d in said):
        return NoLock(said)
    return Opened(lock_as_read(shaped), written)


def _drifted(draft: Draft, lock: Lock, network: Network, written: Written) -> Iterator[Diagnostic]:
    if lock.network != network.name:
        message = f"this locks the network `{lock.network}`, and the file is of `{network.name}`"
        yield Diagnostic(Rule.LOCK_DRIFT, message, written.span(("network",)), hint=_HINT)
        return
    for drift in drifts(lock, lock_of(network), network):
        yield Diagnostic(Rule.LOCK_DRIFT, drift.words, _span(draft, written, drift), hint=_HINT)


def _span(draft: Draft, written: Written, drift: Drift) -> Span:
    """In the lock, or at the first use where the lock has nothing of it."""
    first, provider = drift.uses[0], drift.provider or ""
    match drift.moved:
        case Moved.USE_ADDED | Moved.PROVIDER_ADDED:
            ensemble, _, use = first.partition("/")
            return draft.members[ensemble].written.span(("uses", use), key=True)
        case Moved.NEED_CHANGED:
            return written.span(("uses", first, "need"))
        case Moved.PROVIDER_REMOVED | Moved.CONTRACT_CHANGED:
            return written.span(("uses", first, "providers", provider), key=True)
        case Moved.USE_REMOVED:
            return written.span(("uses", first), key=True)
