"""The files that a network names, opened and shaped: ensembles, scripts and typed contracts."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from runner.config.codes import Rule
from runner.config.document import Document, Parsed, parse
from runner.config.draft import Contract, Member, Script
from runner.config.ensemble_file import EnsembleFile
from runner.config.kept import Kept
from runner.config.library import Library, Unread
from runner.config.network_file import NetworkFile
from runner.config.path import Path
from runner.config.references import References
from runner.config.script_file import ScriptFile
from runner.config.shape import shape
from runner.config.written import Written
from runner.diagnostics import Diagnostic


class Loader:
    """Opens files and keeps what was wrong with them. `sources` is the text of each, for excerpts.

    What was made of a file `before` is taken over where it says the same; `parsed` is what was made of each now.
    """

    def __init__(self, library: Library, references: References, before: Kept) -> None:
        self.library = library
        self.references = references
        self.parsed: dict[str, tuple[bytes, Parsed]] = {}
        self._before = before
        self.diagnostics: list[Diagnostic] = []
        self.sources: dict[str, str] = {}
        self._documents: dict[str, Document | None] = {}

    def open(self, path: str, *, said_in: Written, place: Path) -> Written | None:
        """The document a file names at a place. What keeps it shut is said there; what is wrong in it, in it."""
        located, data = self.library.read(path, said_in=said_in.file)
        if isinstance(data, Unread):
            span = said_in.span(said_in.existing(place))
            self.diagnostics.append(Diagnostic(data.code, data.message, span, hint=data.hint))
            return None
        if located not in self._documents:
            self._documents[located] = self.parse(located, data)
        document = self._documents[located]
        return Written.of(document) if document is not None else None

    def parse(self, file: str, data: bytes) -> Document | None:
        parsed = self._before.parsed(file, data) or parse(file, data)
        self.parsed[file] = data, parsed
        if parsed.text is not None:
            self.sources[file] = parsed.text.content
        self.diagnostics += parsed.diagnostics
        return parsed.document

    def ensembles(self, network: NetworkFile, written: Written) -> dict[str, Member]:
        """Every ensemble that could be shaped, in the order of the network file."""
        members = {}
        for name, entry in network.ensembles.items():
            part = self._ensemble(name, entry, written)
            if part is not None and part.is_as_it_stands and (known := self._before.member(name, part.document)):
                members[name] = known
                continue
            file = self._shaped(part) if part is not None else None
            if part is not None and file is not None:
                members[name] = Member(name, file, part)
        return members

    def scripts(self, network: NetworkFile, written: Written) -> dict[tuple[str, int], Script]:
        scripts = {}
        for route, models in network.models.items():
            for place, model in enumerate(models):
                if model.script is None:
                    continue
                part = self.open(model.script, said_in=written, place=("models", route, place, "script"))
                if part is None:
                    continue
                self.diagnostics += self.references.resolve(part)
                file, diagnostics = shape(ScriptFile, part)
                self.diagnostics += diagnostics
                if file is not None:
                    scripts[route, place] = Script(file, part)
        return scripts

    def contracts(self, members: Mapping[str, Member]) -> dict[tuple[str, str], Contract]:
        contracts = {}
        for member in members.values():
            for name, task in member.file.tasks.items():
                place: Path = ("tasks", name, "input_schema")
                if isinstance(task.input_schema, dict):
                    contracts[member.name, name] = Contract(task.input_schema, member.written, place)
                elif task.input_schema is not None:
                    part = self.open(task.input_schema, said_in=member.written, place=place)
                    if part is not None:
                        contracts[member.name, name] = Contract(part.data, part, ())
        return contracts

    def _ensemble(self, name: str, entry: JsonValue, written: Written) -> Written | None:
        place: Path = ("ensembles", name)
        if isinstance(entry, dict):
            return written.part(place, entry)
        if isinstance(entry, str) and entry:
            part = self.open(entry, said_in=written, place=place)
            if part is not None:
                self.diagnostics += self.references.resolve(part)
            return part
        message, hint = f"`{name}` must be an ensemble", "write the path of its file, or the ensemble itself"
        self.diagnostics.append(Diagnostic(Rule.WRONG_TYPE, message, written.span(place, key=True), hint=hint))
        return None

    def _shaped(self, part: Written) -> EnsembleFile | None:
        file, diagnostics = shape(EnsembleFile, part)
        self.diagnostics += diagnostics
        return file
