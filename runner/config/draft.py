"""The network between reading and resolving: as-written models with an index of names, for the rules to judge."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

from runner.config.ensemble_file import EnsembleFile, ShareFile, TaskFile, ToolFile, UseFile
from runner.config.library import Library
from runner.config.network_file import NetworkFile
from runner.config.path import Path
from runner.config.script_file import ScriptFile
from runner.config.written import Written

Level = Literal["autonomous", "supervised", "human_required"]
LEVELS: tuple[Level, ...] = ("autonomous", "supervised", "human_required")


@dataclass(frozen=True, slots=True)
class Member:
    """One ensemble as written."""

    name: str
    file: EnsembleFile
    written: Written


@dataclass(frozen=True, slots=True)
class Offer:
    """A capability of an ensemble, shared or not."""

    provider: Member
    name: str
    kind: Literal["tools", "tasks"]
    share: ShareFile | None

    @property
    def place(self) -> Path:
        return (self.kind, self.name)

    @property
    def authority(self) -> Level:
        """The registered level."""
        own = self.share.authority if self.share else None
        return own or self.provider.file.authority

    def __str__(self) -> str:
        return f"{self.provider.name}/{self.name}"


@dataclass(frozen=True, slots=True)
class Script:
    """The script of one entry of a model route."""

    file: ScriptFile
    written: Written


@dataclass(frozen=True, slots=True)
class Contract:
    """The schema of a task's input. A schema in a file of its own is wholly that file."""

    schema: Mapping[str, JsonValue]
    written: Written
    place: Path


@dataclass(frozen=True)
class Draft:
    """All that was read. `unread` names the ensembles that are declared but could not be kept."""

    file: NetworkFile
    written: Written
    members: Mapping[str, Member]
    unread: frozenset[str]
    library: Library
    scripts: Mapping[tuple[str, int], Script]
    contracts: Mapping[tuple[str, str], Contract]
    _tags: Mapping[str, str] = field(init=False)
    _offers: Mapping[str, Mapping[str, Offer]] = field(init=False)
    _shared: Mapping[str, list[Offer]] = field(init=False)
    _tagged: Mapping[str, list[Offer]] = field(init=False)

    def __post_init__(self) -> None:
        vocabulary = self.file.tags or {}
        aliases = {alias: tag for tag, entry in vocabulary.items() for alias in entry.aliases}
        object.__setattr__(self, "_tags", {**aliases, **{tag: tag for tag in vocabulary}})
        object.__setattr__(self, "_offers", {name: _offers(member) for name, member in self.members.items()})
        shared: defaultdict[str, list[Offer]] = defaultdict(list)
        tagged: defaultdict[str, list[Offer]] = defaultdict(list)
        for offer in self.offers():
            if offer.share is not None:
                shared[offer.name].append(offer)
                for tag in {self.canonical(tag) for tag in offer.share.tags}:
                    tagged[tag].append(offer)
        object.__setattr__(self, "_shared", shared)
        object.__setattr__(self, "_tagged", tagged)

    @property
    def is_whole(self) -> bool:
        """Whether nothing was pruned anywhere, so that what is not here was never declared."""
        return not self.unread and self.written.is_whole and all(m.written.is_whole for m in self.members.values())

    @property
    def words(self) -> Mapping[str, str]:
        """Every tag and alias of the vocabulary, with the tag it stands for."""
        return self._tags

    def canonical(self, tag: str) -> str:
        return self._tags.get(tag, tag)

    def offers(self) -> Iterator[Offer]:
        for offers in self._offers.values():
            yield from offers.values()

    def offers_of(self, ensemble: str) -> Mapping[str, Offer]:
        return self._offers.get(ensemble, {})

    def offer(self, target: str) -> Offer | None:
        ensemble, _, capability = target.partition("/")
        return self.offers_of(ensemble).get(capability)

    def sharing(self, name: str) -> Sequence[Offer]:
        """Every shared capability with this name."""
        return self._shared.get(name, ())

    def providers(self, use: UseFile, *, asking: str) -> list[Offer]:
        """Who can meet a discovered use; never the ensemble that asks."""
        tags = {self.canonical(tag) for tag in use.tags}
        found: Sequence[Offer]
        if use.discover is not None:
            found = self.sharing(use.discover)
        else:
            found = min((self._tagged.get(tag, []) for tag in tags), key=len, default=[])
        return [
            offer
            for offer in found
            if offer.provider.name != asking
            and offer.share is not None
            and tags <= {self.canonical(tag) for tag in offer.share.tags}
        ]

    def uses(self) -> Iterator[tuple[Member, str, UseFile]]:
        for member in self.members.values():
            for name, use in member.file.uses.items():
                yield member, name, use

    def tasks(self) -> Iterator[tuple[Member, str, TaskFile]]:
        for member in self.members.values():
            for name, task in member.file.tasks.items():
                yield member, name, task


def _offers(member: Member) -> dict[str, Offer]:
    tools: Mapping[str, ToolFile] = member.file.tools
    return {
        **{name: Offer(member, name, "tools", tool.share) for name, tool in tools.items()},
        **{name: Offer(member, name, "tasks", task.share) for name, task in member.file.tasks.items()},
    }
