"""The network file → a `Network`, or all that is wrong with it at once."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydantic import JsonValue

from runner.config.bindings import bound_names
from runner.config.checks import CAUTIONS, RULES
from runner.config.draft import Draft
from runner.config.fields import FileModel, Name
from runner.config.kept import NOTHING, Kept
from runner.config.library import Library, Source, Unread
from runner.config.loading import Loader
from runner.config.locking import held
from runner.config.network_file import NetworkFile
from runner.config.path import Path
from runner.config.references import References
from runner.config.resolve import resolve
from runner.config.shape import shape
from runner.config.text import start_of
from runner.config.written import Written
from runner.diagnostics import Diagnostic, Severity, in_file_order
from runner.errors import InvalidNetwork
from runner.model import Network
from runner.templates import forget_unused as forget_unused_templates

_STAND_INS: Mapping[str, JsonValue] = {"network": "unnamed", "ensembles": {}}


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading gave. `network` is None if any diagnostic is an error; `sources` is the text of each file read.

    `library` has what was read of `file` and of what it names, `references` what stood for a secret, and `kept` what
    the next reading may take over.
    """

    network: Network | None
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, str]
    file: str
    library: Library = field(repr=False)
    references: References = field(repr=False)
    kept: Kept = field(repr=False)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """Why there is no network: the diagnostics without the warnings."""
        return tuple(d for d in self.diagnostics if d.severity is Severity.ERROR)

    def content(self, path: str) -> bytes | None:
        """A file by its path from the top, as reading would find it; None where it cannot be read."""
        data = self.library.fetch(path)
        return None if isinstance(data, Unread) else data


def read_network(
    source: Source,
    file: str,
    env: Mapping[str, str],
    safe: Source | None = None,
    *,
    before: Kept = NOTHING,
    cautious: bool = False,
    locked: bool = False,
) -> Reading:
    """Read the network file and every file it names. Never raises for what stands in them.

    `safe` has the files that `${file:…}` names, where the source has not. `before` is what an earlier reading kept:
    what has not changed since is not made anew. `cautious` also warns of what works and is worth a second look.
    `locked` holds discovered uses to the lock beside the file, which is then one of the files that were read.
    """
    with _collector_paused(for_once=before is NOTHING):
        loader = _loader(source, env, safe, before)
        draft = _draft(loader, file)
        if draft is not None:
            for rule in RULES:
                loader.diagnostics += rule(draft)
        network = None
        if draft is not None and not any(d.severity is Severity.ERROR for d in loader.diagnostics):
            network = resolve(draft, before.resolved(draft))
            _forget_unused()
            for caution in CAUTIONS if cautious else ():
                loader.diagnostics += caution(draft)
        kept = Kept.of(loader.parsed, draft, network)
        if locked and draft is not None and network is not None:
            network = held(loader, draft, network, file)
        return Reading(network, _finished(loader), loader.sources, file, loader.library, loader.references, kept)


class _NameFile(FileModel):
    """Of a network file only its name."""

    network: Name


def read_network_name(source: Source, file: str, env: Mapping[str, str]) -> str:
    """The network's name alone, whatever else the file says. Raises InvalidNetwork."""
    loader = _loader(source, env, None, NOTHING)
    written = _open(loader, file)
    name = None
    if written is not None:
        only = {key: value for key, value in written.data.items() if key == "network"}
        part = written.part((), only)
        loader.diagnostics += loader.references.resolve(part)
        name, diagnostics = shape(_NameFile, part)
        loader.diagnostics += diagnostics
    if name is None:
        raise InvalidNetwork(_finished(loader), loader.sources)
    return name.network


def _loader(source: Source, env: Mapping[str, str], safe: Source | None, before: Kept) -> Loader:
    return Loader(Library(source), References(env, Library(safe or source)), before)


def _open(loader: Loader, file: str) -> Written | None:
    data = loader.library.fetch(file)
    if isinstance(data, Unread):
        loader.diagnostics.append(Diagnostic(data.code, data.message, start_of(file), hint=data.hint))
        return None
    document = loader.parse(file, data)
    return Written.of(document) if document is not None else None


def _draft(loader: Loader, file: str) -> Draft | None:
    written = _open(loader, file)
    if written is None:
        return None
    loader.references.skip_switched_off(written, _switchable(written))
    loader.diagnostics += loader.references.resolve(written)
    network, diagnostics = shape(NetworkFile, written, _STAND_INS)
    loader.diagnostics += diagnostics
    if network is None:
        return None
    members = loader.ensembles(network, written)
    declared = written.at(("ensembles",))
    return Draft(
        network,
        written,
        members,
        frozenset(declared if isinstance(declared, dict) else ()) - members.keys(),
        loader.library,
        loader.scripts(network, written),
        loader.contracts(members),
    )


def _switchable(written: Written) -> Iterator[Path]:
    """Every entry that an empty `when:` takes out; of a list, the last first, so that places stay."""
    deliveries, models = written.at(("deliveries",)), written.at(("models",))
    for name in deliveries if isinstance(deliveries, dict) else ():
        yield ("deliveries", name)
    for name, route in models.items() if isinstance(models, dict) else ():
        for place in reversed(range(len(route) if isinstance(route, list) else 0)):
            yield ("models", name, place)


def _forget_unused() -> None:
    """Every rule has looked at all there is, and it is in order: what none of them asked for was edited away."""
    forget_unused_templates()
    bound_names.turn()


def _finished(loader: Loader) -> tuple[Diagnostic, ...]:
    rank = {name: place for place, name in enumerate(loader.sources)}
    return tuple(in_file_order([loader.references.scrub(d) for d in loader.diagnostics], rank))


@contextmanager
def _collector_paused(*, for_once: bool) -> Iterator[None]:
    """Composing makes many objects and no garbage cycles: collecting meanwhile costs more than all the rest.

    To freeze and unfreeze makes all of them old at once, so that the next young collection does not walk them. Not in
    a process that has frozen what it started with: there, what is old is what changes left behind, and is to be found.
    To count what is frozen takes as long as walking it, so that is left out where reading is not `for_once`.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if for_once and not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()
