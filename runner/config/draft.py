"""The network between reading and resolving: as-written models with an index of names, for the rules to judge."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
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

    @property
    def claimed_within(self) -> timedelta:
        """The `sla` of a task; zero where none is promised: it may be claimed at once, and a tool is."""
        return (self.provider.file.sla if self.kind == "tasks" else None) or timedelta(0)

    def __str__(self) -> str:
        return f"{self.provider.name}/{self.name}"


Need = tuple[str | None, frozenset[str]]
"""What a discovered use looks for: a name or None, and tags in their canonical words."""


@dataclass(frozen=True)
class Found:
    """Every shared capability that meets one need, whoever asks. `of` counts them by ensemble."""

    offers: Sequence[Offer]
    of: Mapping[str, int]

    @cached_property
    def tasks(self) -> Found:
        """Those that can be asked without waiting for the answer."""
        tasks = tuple(offer for offer in self.offers if offer.kind == "tasks")
        return Found(tasks, Counter(offer.provider.name for offer in tasks))

    def asked_by(self, use: UseFile) -> Found:
        """Those that a use may come to, as it asks."""
        return self.tasks if use.mode == "async" else self

    @cached_property
    def _soonest_first(self) -> Sequence[tuple[timedelta, Offer]]:
        return sorted(((offer.claimed_within, offer) for offer in self.offers), key=lambda one: one[0])

    def soonest(self, *, asking: str) -> tuple[timedelta, Offer] | None:
        """Whoever promises to claim the soonest, and within what; None where there is nobody."""
        return next((one for one in self._soonest_first if one[1].provider.name != asking), None)

    def number(self, *, asking: str) -> int:
        """How many there are for an ensemble: its own do not count."""
        return len(self.offers) - self.of.get(asking, 0)

    def others(self, *, asking: str) -> Iterator[Offer]:
        return (offer for offer in self.offers if offer.provider.name != asking)


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
    _found: dict[Need, Found] = field(init=False, repr=False)
    """Filled as needs are asked for: many uses have the same."""

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
        object.__setattr__(self, "_found", {})

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

    def need(self, use: UseFile) -> Need | None:
        """What a use looks for; None for one that names its provider."""
        if use.to is not None:
            return None
        return use.discover, frozenset(self.canonical(tag) for tag in use.tags)

    def found(self, need: Need) -> Found:
        """Who meets a need, the ensemble that asks included."""
        known = self._found.get(need)
        if known is None:
            offers = tuple(self._meeting(need))
            known = self._found[need] = Found(offers, Counter(offer.provider.name for offer in offers))
        return known

    def _meeting(self, need: Need) -> Iterator[Offer]:
        name, tags = need
        found: Sequence[Offer]
        if name is not None:
            found = self.sharing(name)
        else:
            found = min((self._tagged.get(tag, []) for tag in tags), key=len, default=[])
        for offer in found:
            if offer.share is not None and tags <= {self.canonical(tag) for tag in offer.share.tags}:
                yield offer

    def providers(self, use: UseFile, *, asking: str) -> list[Offer]:
        """Who can meet a discovered use; never the ensemble that asks."""
        need = self.need(use)
        return list(self.found(need).others(asking=asking)) if need is not None else []

    def uses(self) -> Iterator[tuple[Member, str, UseFile]]:
        for member in self.members.values():
            for name, use in member.file.uses.items():
                yield member, name, use

    def discovered(self) -> Iterator[tuple[Member, str, UseFile, Found]]:
        """Every use that looks for its provider, with who meets it."""
        for member, name, use in self.uses():
            need = self.need(use)
            if need is not None:
                yield member, name, use, self.found(need)

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
