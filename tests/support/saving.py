"""Saving files of a network that runs, and waiting for what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runner.host.happenings import Notice, Reloaded, ReloadRefused
from runner.plan.text import compact
from tests.support.networks import LiveNetwork, eventually


@dataclass
class Saver:
    """Somebody at an editor, in the directory of a network that watches its files."""

    network: LiveNetwork

    @property
    def directory(self) -> Path:
        return self.network.workspace.directory

    @property
    def applied(self) -> list[Reloaded]:
        return [told for told in self.network.happenings if isinstance(told, Reloaded)]

    @property
    def refused(self) -> list[ReloadRefused]:
        return [told for told in self.network.happenings if isinstance(told, ReloadRefused)]

    @property
    def notices(self) -> list[str]:
        return [told.message for told in self.network.happenings if isinstance(told, Notice)]

    def unlike(self, files: dict[str, str]) -> list[tuple[str, str]]:
        """Those of these files, by name, that say something else now."""
        return [(name, text) for name, text in files.items() if (self.directory / name).read_text() != text]

    def write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text)

    def edit(self, name: str, before: str, after: str) -> None:
        text = (self.directory / name).read_text()
        assert before in text
        self.write(name, text.replace(before, after))

    async def does(self, *saves: tuple[str, str]) -> str:
        """Save files; the block that the terminal shows when they are in force."""
        known = len(self.applied)
        for name, text in saves:
            self.write(name, text)
        await eventually(lambda: len(self.applied) > known, "the change is applied")
        return compact(self.applied[-1].plan)

    async def breaks(self, *saves: tuple[str, str]) -> ReloadRefused:
        """Save files; why they are refused."""
        known = len(self.refused)
        for name, text in saves:
            self.write(name, text)
        await eventually(lambda: len(self.refused) > known, "the change is refused")
        return self.refused[-1]

    async def notices_that(self, words: str) -> None:
        known = len([message for message in self.notices if words in message])
        await eventually(lambda: len([message for message in self.notices if words in message]) > known, words)
