"""How a runner and its ensembles reach their server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Reach:
    """How everybody in the network reaches the server. None as credentials: the server asks for none."""

    urls: tuple[str, ...] = field(repr=False)
    embedded: bool
    runner: str | None = field(repr=False)
    operator: str | None = field(repr=False)
    ensembles: Mapping[str, str | None] = field(repr=False)
    system: str | None = field(default=None, repr=False)
    """Of the one who may ask the server how it is, and cut connections; None where nobody here may."""

    @property
    def shown(self) -> str:
        """The addresses as people may see them: without a user or a password."""
        return ", ".join(shown(url) for url in self.urls)


def shown(url: str) -> str:
    scheme, slashes, rest = url.rpartition("://")
    return scheme + slashes + rest.rpartition("@")[2]
