"""Which of the ensembles that a change removes may still be asked: work that began before ends as it began."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping


def still_asked(
    gone: Iterable[str], callers: Mapping[tuple[str, str], frozenset[str]], is_busy: Callable[[str], bool]
) -> frozenset[str]:
    """Of those that go, the ones with a caller that has something in hand, or that may itself still be asked.

    `callers` are those of each capability, by (provider, capability), as they were before. An idle caller that stays
    begins its next work with the new wiring, and one that goes begins none unless it is asked.
    """
    asking: dict[str, set[str]] = {name: set() for name in gone}
    for (provider, _), names in callers.items():
        if provider in asking:
            asking[provider] |= names - {provider}
    asked = {name for name, names in asking.items() if any(map(is_busy, names))}
    while more := {name for name, names in asking.items() if names & asked} - asked:
        asked |= more
    return frozenset(asked)
