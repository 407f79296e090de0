"""What discovered uses come to, frozen: made of a network, written, compared, and bound. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from runner.capability import fingerprint
from runner.config.lock_file import LockFile
from runner.model import Discovery, Ensemble, Network
from runner.routing.wiring import wiring

_NO_TEXT = frozenset({"null", "true", "false"})
"""Names that YAML would not take for text."""


@dataclass(frozen=True, slots=True)
class LockedUse:
    """A discovered use. `providers` are the capabilities that meet it, each with the fingerprint of its contract."""

    need: str
    providers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Lock:
    """Every discovered use of a network, by `ensemble/use`."""

    network: str
    uses: Mapping[str, LockedUse]


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
    """One difference. `before` and `after` are needs, or fingerprints of a contract."""

    moved: Moved
    use: str
    provider: str | None = None
    before: str | None = None
    after: str | None = None

    @property
    def words(self) -> str:
        match self.moved:
            case Moved.USE_ADDED:
                return f"`{self.use}` is discovered and not locked"
            case Moved.USE_REMOVED:
                return f"`{self.use}` is locked, and no such use is discovered any more"
            case Moved.NEED_CHANGED:
                return f"`{self.use}` looked for {self.before} when it was locked, and looks for {self.after} now"
            case Moved.PROVIDER_ADDED:
                return f"`{self.use}` may come to `{self.provider}` now, to which it is not locked"
            case Moved.PROVIDER_REMOVED:
                return f"`{self.use}` is locked to `{self.provider}`, which does not meet it any more"
            case Moved.CONTRACT_CHANGED:
                contract = f"the contract of `{self.provider}`, to which `{self.use}` is locked"
                return f"{contract}, was {self.before} and is {self.after} now"


def lock_name(file: str) -> str:
    """The lock that stands beside a network file: `network.lock` beside `network.yaml`."""
    stem, dot, _ = file.rpartition(".")
    return f"{stem if dot else file}.lock"


def lock_of(network: Network) -> Lock:
    """What every discovered use may come to, as the file declares it."""
    return Lock(
        network.name,
        {
            f"{edge.ensemble}/{edge.use.name}": LockedUse(
                str(edge.use.target), {f"{c.provider}/{c.name}": fingerprint(c) for c in edge.candidates}
            )
            for edge in wiring(network)
            if edge.discovered
        },
    )


def lock_as_read(file: LockFile) -> Lock:
    return Lock(file.network, {name: LockedUse(use.need, use.providers) for name, use in file.uses.items()})


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
    return "\n".join(lines) + "\n"


def _name(network: str) -> str:
    """As YAML reads it: some words, such as `null`, are names as well."""
    return json.dumps(network) if network in _NO_TEXT else network


def drifts(before: Lock, after: Lock) -> Iterator[Drift]:
    """Every difference, in order of use and provider."""
    for name in sorted(before.uses.keys() | after.uses.keys()):
        was, now = before.uses.get(name), after.uses.get(name)
        if was is None:
            yield Drift(Moved.USE_ADDED, name)
        elif now is None:
            yield Drift(Moved.USE_REMOVED, name)
        else:
            yield from _moved(name, was, now)


def _moved(name: str, was: LockedUse, now: LockedUse) -> Iterator[Drift]:
    if was.need != now.need:
        yield Drift(Moved.NEED_CHANGED, name, None, was.need, now.need)
    for target in sorted(was.providers.keys() | now.providers.keys()):
        before, after = was.providers.get(target), now.providers.get(target)
        if before is None:
            yield Drift(Moved.PROVIDER_ADDED, name, target, None, after)
        elif after is None:
            yield Drift(Moved.PROVIDER_REMOVED, name, target, before, None)
        elif before != after:
            yield Drift(Moved.CONTRACT_CHANGED, name, target, before, after)


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
