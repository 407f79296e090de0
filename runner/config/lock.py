"""What discovered uses come to, frozen: made of a network, written, compared, and bound. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum

from runner.capability import CapabilityInfo, fingerprint
from runner.catalog import declared
from runner.config.lock_contract import Contract, LockedSchema, contract_of, differences
from runner.config.lock_file import ContractFile, LockFile
from runner.model import Discovery, Ensemble, Network
from runner.routing.wiring import wiring

_NO_TEXT = frozenset({"null", "true", "false"})
"""Names that YAML would not take for text."""

_BARE = frozenset({"type", "authority"})
_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class LockedUse:
    """A discovered use. `providers` are the capabilities that meet it, each with the fingerprint of its contract."""

    need: str
    providers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Lock:
    """Every discovered use of a network, by `ensemble/use`, and the contracts of all their providers, by target."""

    network: str
    uses: Mapping[str, LockedUse]
    contracts: Mapping[str, Contract] = field(default_factory=dict)


class Moved(StrEnum):
    """How what was locked differs from what is."""

    USE_ADDED = "use-added"
    USE_REMOVED = "use-removed"
    NEED_CHANGED = "need-changed"
    PROVIDER_ADDED = "provider-added"
    PROVIDER_REMOVED = "provider-removed"
    CONTRACT_CHANGED = "contract-changed"


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference, of every use that has it. `before` and `after` are needs, or fingerprints of a contract, and
    `what` tells in words what changed, as far as it is known."""

    moved: Moved
    uses: tuple[str, ...]
    provider: str | None = None
    before: str | None = None
    after: str | None = None
    what: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        uses = [f"`{use}`" for use in self.uses]
        named = _joined(uses if len(uses) <= _MOST_NAMED else [*uses[:_MOST_NAMED], f"{len(uses) - _MOST_NAMED} more"])
        are, it_is, it = ("is", "it is", "it") if len(uses) == 1 else ("are", "they are", "them")
        match self.moved:
            case Moved.USE_ADDED:
                return f"{named} is discovered and not locked"
            case Moved.USE_REMOVED:
                return f"{named} is locked, and no such use is discovered any more"
            case Moved.NEED_CHANGED:
                return f"{named} looked for {self.before} when it was locked, and looks for {self.after} now"
            case Moved.PROVIDER_ADDED:
                return f"{named} may come to `{self.provider}` now, to which {it_is} not locked"
            case Moved.PROVIDER_REMOVED:
                why = f": {_joined(self.what)}" if self.what else ""
                return f"{named} {are} locked to `{self.provider}`, which does not meet {it} any more{why}"
            case Moved.CONTRACT_CHANGED:
                contract = f"the contract of `{self.provider}`, to which {named} {are} locked"
                how = f"changed: {_joined(self.what)}" if self.what else f"was {self.before} and is {self.after} now"
                return f"{contract}, {how}"


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def lock_name(file: str) -> str:
    """The lock that stands beside a network file: `network.lock` beside `network.yaml`."""
    stem, dot, _ = file.rpartition(".")
    return f"{stem if dot else file}.lock"


def lock_of(network: Network) -> Lock:
    """What every discovered use may come to, as the file declares it."""
    found = {f"{e.ensemble}/{e.use.name}": (str(e.use.target), e.candidates) for e in wiring(network) if e.discovered}
    contracts = {_target(c): contract_of(c) for _, candidates in found.values() for c in candidates}
    uses = {
        name: LockedUse(need, {_target(c): fingerprint(c) for c in candidates})
        for name, (need, candidates) in found.items()
    }
    return Lock(network.name, uses, contracts)


def _target(capability: CapabilityInfo) -> str:
    return f"{capability.provider}/{capability.name}"


def lock_as_read(file: LockFile) -> Lock:
    uses = {name: LockedUse(use.need, use.providers) for name, use in file.uses.items()}
    return Lock(file.network, uses, {target: _as_read(one) for target, one in file.contracts.items()})


def _as_read(file: ContractFile) -> Contract:
    schema = file.input_schema
    inputs = None if schema is None else LockedSchema(schema.properties, tuple(schema.required), schema.rest)
    return Contract(file.type, file.authority, tuple(file.tags), file.domain, file.description, inputs)


def written(lock: Lock) -> str:
    """The text of a lock file: in order, one provider a line, so that a difference is easy to read."""
    lines = [
        "# What the discovered uses of this network come to, with the fingerprint of each contract.",
        "# Written by `run-network lock`; `up --locked` and `validate --locked` hold to it.",
        "version: 1",
        f"network: {_name(lock.network)}",
        "uses:" if lock.uses else "uses: {}",
    ]
    for name in sorted(lock.uses):
        use = lock.uses[name]
        lines += [f"  {name}:", f"    need: {json.dumps(use.need, ensure_ascii=False)}"]
        lines.append("    providers:" if use.providers else "    providers: {}")
        lines += [f"      {target}: {json.dumps(use.providers[target])}" for target in sorted(use.providers)]
    lines += ["contracts:"] if lock.contracts else []
    for target in sorted(lock.contracts):
        lines += [f"  {target}:", *_contract(lock.contracts[target])]
    return "\n".join(lines) + "\n"


def _contract(contract: Contract) -> Iterator[str]:
    """One thing a line; what is not said is left out."""
    for key, value in asdict(contract).items():
        if key == "input_schema" and value is not None:
            yield "    input_schema:"
            yield f"      properties:{'' if value['properties'] else ' {}'}"
            yield from (f"        {json.dumps(name)}: {json.dumps(said)}" for name, said in value["properties"].items())
            yield f"      required: {json.dumps(value['required'])}"
            yield f"      rest: {json.dumps(value['rest'])}"
        elif value not in (None, ()):
            yield f"    {key}: {value if key in _BARE else json.dumps(value)}"


def _name(network: str) -> str:
    """As YAML reads it: some words, such as `null`, are names as well."""
    return json.dumps(network) if network in _NO_TEXT else network


def drifts(before: Lock, after: Lock, network: Network | None = None) -> tuple[Drift, ...]:
    """Every difference, in order of use and provider; the same one of several uses is told once, at the first.

    `network` is what `after` is of: it tells why a provider meets nothing any more.
    """
    found: dict[tuple[object, ...], list[Drift]] = {}
    for drift in _each(before, after):
        key = drift.moved, drift.provider, drift.before, drift.after, () if drift.provider else drift.uses
        found.setdefault(key, []).append(drift)
    return tuple(
        replace(same[0], uses=tuple(one.uses[0] for one in same), what=tuple(_what(same[0], before, network)))
        for same in found.values()
    )


def _each(before: Lock, after: Lock) -> Iterator[Drift]:
    for name in sorted(before.uses.keys() | after.uses.keys()):
        was, now = before.uses.get(name), after.uses.get(name)
        if was is None:
            yield Drift(Moved.USE_ADDED, (name,))
        elif now is None:
            yield Drift(Moved.USE_REMOVED, (name,))
        else:
            yield from _moved((name,), was, now)


def _moved(uses: tuple[str], was: LockedUse, now: LockedUse) -> Iterator[Drift]:
    if was.need != now.need:
        yield Drift(Moved.NEED_CHANGED, uses, None, was.need, now.need)
    for target in sorted(was.providers.keys() | now.providers.keys()):
        before, after = was.providers.get(target), now.providers.get(target)
        if before is None:
            yield Drift(Moved.PROVIDER_ADDED, uses, target, None, after)
        elif after is None:
            yield Drift(Moved.PROVIDER_REMOVED, uses, target, before, None)
        elif before != after:
            yield Drift(Moved.CONTRACT_CHANGED, uses, target, before, after)


def _what(drift: Drift, before: Lock, network: Network | None) -> Iterator[str]:
    """What changed of a provider that was locked."""
    if network is None or drift.provider is None or drift.before is None:
        return
    ensemble, _, name = drift.provider.partition("/")
    capability = declared(network).get(ensemble, name)
    if capability is not None:
        was = before.contracts.get(drift.provider)
        yield from differences(was, contract_of(capability)) if was is not None else ()
    elif ensemble in network.ensembles:
        yield f"`{ensemble}` shares no `{name}`"
    else:
        yield f"there is no ensemble `{ensemble}`"


def bound(network: Network, lock: Lock) -> Network:
    """The network with every discovered use held to the providers that are locked."""
    return replace(network, ensembles={name: _bound(ensemble, lock) for name, ensemble in network.ensembles.items()})


def _bound(ensemble: Ensemble, lock: Lock) -> Ensemble:
    uses = {}
    for name, use in ensemble.uses.items():
        locked = lock.uses.get(f"{ensemble.name}/{name}")
        if locked is not None and isinstance(use.target, Discovery):
            use = replace(use, target=replace(use.target, only=tuple(sorted(locked.providers))))
        uses[name] = use
    return replace(ensemble, uses=uses)
