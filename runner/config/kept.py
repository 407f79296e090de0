"""What reading made of its files: the next reading takes over what follows from files that still say the same.

Nothing that a reading gives depends on it but the time it takes, and which objects are the same as before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from runner.config.document import Document, Parsed
from runner.config.draft import Draft, Member
from runner.config.library import is_prompt_file
from runner.config.network_file import NetworkFile
from runner.model import Ensemble, Network

LARGEST_BYTES = 256 * 1024
"""A larger file is not kept: it is itself what is edited, and what was made of it takes many times its size."""

_Inputs = tuple[Member, dict[str, Mapping[str, JsonValue]], dict[str, object]]


@dataclass(frozen=True, slots=True)
class Kept:
    """Of one reading. `settings` is the network file without its ensembles."""

    documents: Mapping[str, tuple[bytes, Parsed]] = field(default_factory=dict)
    members: Mapping[str, Member] = field(default_factory=dict)
    settings: NetworkFile | None = None
    inputs: Mapping[str, _Inputs] = field(default_factory=dict)
    ensembles: Mapping[str, Ensemble] = field(default_factory=dict)

    @classmethod
    def of(cls, documents: Mapping[str, tuple[bytes, Parsed]], draft: Draft | None, network: Network | None) -> Kept:
        """What is worth keeping of a reading that came so far."""
        small = {file: found for file, found in documents.items() if len(found[0]) <= LARGEST_BYTES}
        if draft is None:
            return cls(small)
        members = {name: member for name, member in draft.members.items() if _has_its_own_file(member, small)}
        if network is None:
            return cls(small, members)
        inputs = {name: _inputs(draft, member) for name, member in members.items()}
        return cls(small, members, _settings(draft), inputs, network.ensembles)

    def parsed(self, file: str, data: bytes) -> Parsed | None:
        """What a file was parsed to, if it said the same."""
        before, parsed = self.documents.get(file, (None, None))
        return parsed if before == data else None

    def member(self, name: str, document: Document) -> Member | None:
        """The ensemble that this document was shaped to under this name."""
        member = self.members.get(name)
        return member if member is not None and member.written.document is document else None

    def resolved(self, draft: Draft) -> dict[str, Ensemble]:
        """Those ensembles of a draft that everything is the same for that they are resolved from."""
        if self.settings != _settings(draft):
            return {}
        return {
            name: self.ensembles[name]
            for name, before in self.inputs.items()
            if (member := draft.members.get(name)) is before[0]
            and member is not None
            and _inputs(draft, member) == before
        }


NOTHING = Kept()
"""Before the first reading."""


def _has_its_own_file(member: Member, documents: Mapping[str, tuple[bytes, Parsed]]) -> bool:
    """Whether it is a whole file as it stands there, without references and without errors."""
    written = member.written
    found = documents.get(written.file)
    return found is not None and found[1].document is written.document and written.is_as_it_stands


def _settings(draft: Draft) -> NetworkFile:
    return draft.file.model_copy(update={"ensembles": {}})


def _inputs(draft: Draft, member: Member) -> _Inputs:
    """What an ensemble is resolved from, beside the settings: its file, its contracts and its prompts."""
    contracts = {
        name: contract.schema for name in member.file.tasks if (contract := draft.contracts.get((member.name, name)))
    }
    prompts: dict[str, object] = {
        agent.instructions: draft.library.text(agent.instructions, said_in=member.written.file)
        for agent in member.file.agents.values()
        if is_prompt_file(agent.instructions)
    }
    return member, contracts, prompts
