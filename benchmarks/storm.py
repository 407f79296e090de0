"""A network whose files change all the time, and answers that tell by which of them they were made.

Every file of a version says its number: the code, a helper that it imports, another that it imports as it runs, and the
ensemble file whose steps use them. The cellar has no code, so that it changes in the process that it has. Each answer
carries all of them, so that one made by half a configuration shows. The files of a version lie in a folder of their
own, and a link is swapped from one to the next, as config maps are; single files are replaced by renaming, or written
in place.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runner.work import Status, WorkResponse

NETWORK = """\
network: storm
defaults: {{deadline: 60s}}
ensembles:
  kitchen: now/kitchen.yaml
  waiter: now/waiter.yaml
  cellar: now/cellar.yaml
  garden: garden.yaml
"""
SPA = "  spa: now/spa.yaml\n"
VERSIONED = {
    "kitchen.yaml": """\
description: version {v}
capacity: {{max_concurrent: 64}}
tools: {{taste: {{python: "dishes:taste", share: true}}}}
tasks:
  cook:
    share: {{tags: [hot]}}
    steps:
      - {{id: code, python: "dishes:cook"}}
      - {{id: late, python: "dishes:late"}}
      - {{template: "{{{{ steps.code }}}} {{{{ steps.late }}}} {v}"}}
  stew:
    share: true
    steps:
      - {{id: code, python: "dishes:stew"}}
      - {{id: late, python: "dishes:late"}}
      - {{template: "{{{{ steps.code }}}} {{{{ steps.late }}}} {v}"}}
""",
    "dishes.py": """\
import asyncio

import spices

V = "{v}"


def taste() -> str:
    return f"{{V}} {{spices.V}}"


async def cook(seconds: float = 0.01) -> str:
    before = f"{{V}} {{spices.V}}"
    await asyncio.sleep(seconds)
    import herbs

    return f"{{before}} {{herbs.V}}"


async def stew() -> str:
    return await cook(0.5)


def late() -> str:
    import herbs

    return f"{{V}} {{herbs.V}}"
""",
    "spices.py": 'V = "{v}"\n',
    "herbs.py": 'V = "{v}"\n',
    "cellar.yaml": """\
description: version {v}
capacity: {{max_concurrent: 64}}
tasks: {{pour: {{share: {{tags: [vintage-{v}]}}, steps: [{{template: "{v}"}}]}}}}
""",
    "waiter.yaml": """\
uses:
  cook: kitchen/cook
  taste: kitchen/taste
  hot: {{tags: [hot]}}
  pour: cellar/pour
  vintage: {{tags: [vintage-{v}]}}
capacity: {{max_concurrent: 32}}
tools: {{ask: {{python: "tray:ask", share: true}}}}
tasks:
  serve:
    share: true
    steps:
      - {{id: own, python: "tray:carry"}}
      - {{id: dish, use: cook}}
      - {{template: "{{{{ steps.own }}}} {v} | {{{{ steps.dish }}}}"}}
  dine:
    share: true
    steps:
      - {{id: own, python: "tray:carry"}}
      - {{id: dish, use: cook}}
      - {{id: wine, use: pour}}
      - {{template: "{{{{ steps.own }}}} {v} | {{{{ steps.dish }}}} | {{{{ steps.wine }}}}"}}
  drink:
    share: true
    steps:
      - {{id: own, python: "tray:carry"}}
      - {{id: wine, use: vintage}}
      - {{template: "{{{{ steps.own }}}} {v} | {{{{ steps.wine }}}}"}}
  find:
    share: true
    steps:
      - {{id: own, python: "tray:carry"}}
      - {{id: found, use: hot}}
      - {{template: "{{{{ steps.own }}}} {v} | {{{{ steps.found }}}}"}}
""",
    "tray.py": """\
from runner import Context

V = "{v}"


def carry() -> str:
    return V


async def ask(context: Context) -> str:
    return f"{{V}} | {{await context.call('taste', {{}})}}"
""",
    "spa.yaml": """\
capacity: {{max_concurrent: 32}}
tasks:
  steam:
    share: {{tags: [hot]}}
    steps: [{{id: code, python: "steam:rise"}}, {{template: "{{{{ steps.code }}}} {v}"}}]
""",
    "steam.py": 'import spices\n\nV = "{v}"\n\n\ndef rise() -> str:\n    return f"{{V}} {{spices.V}}"\n',
}
GARDEN = """\
description: the plants are {v}
capacity: {{max_concurrent: {slots}}}
tools: {{grow: {{python: "plants:grow", share: true}}}}
tasks: {{plant: {{share: true, steps: [{{python: "plants:grow"}}]}}}}
"""
PLANTS = "from secrets import token_hex\n\nSEED = token_hex(4)\n\n\ndef grow() -> str:\n    return SEED\n"
OUTSIDE = {
    "yaml": "network: [storm\n",
    "key": "network: storm\nensembles: {kitchen: {capacities: 1}}\n",
    "half": NETWORK.format()[:60],
}
"""Network files that are refused."""

TARGETS = (
    ("kitchen/taste", "await"),
    ("kitchen/cook", "await"),
    ("waiter/serve", "await"),
    ("garden/grow", "await"),
    ("kitchen/cook", "async"),
    ("waiter/find", "await"),
    ("waiter/ask", "await"),
    ("garden/plant", "async"),
    ("waiter/drink", "await"),
    ("waiter/dine", "async"),
    ("cellar/pour", "await"),
    ("kitchen/stew", "async"),
)
"""What is called in turn: tools and tasks, over one ensemble and over several, by name and by tag. A stew takes as long
as several saves do. What the waiter drinks is of a tag that each version has for itself."""


@dataclass
class Storm:
    """The directory. `saved` is the highest version whose files were saved, `in_force` the highest that is known to be.

    `apart` names ensembles that have a process to themselves.
    `numbered` names versions, all by as many digits: their files have the same size.
    """

    directory: Path
    apart: frozenset[str] = frozenset()
    saved: int = 0
    in_force: int = 0
    spa: bool = False
    _stamp: tuple[int, int] | None = None
    _edits: Iterator[int] = field(default_factory=itertools.count)

    def begin(self) -> None:
        (self.directory / "plants.py").write_text(PLANTS)
        self.live()
        self.version()
        self._network()
        self.in_force = self.saved

    def live(self) -> None:
        """Another description and other slots for the garden, which keeps all it has."""
        slots = 16 + next(self._edits) % 90
        self._save("garden.yaml", self._placed("garden.yaml", GARDEN.format(v=f"{slots} feet high", slots=slots)))

    def version(self) -> None:
        """The next version of everything that has one, by a swap. Sizes and times are those of the one before."""
        self.saved += 1
        folder = self.directory / f"version-{self.saved:05}"
        folder.mkdir()
        for name, text in VERSIONED.items():
            path = folder / name
            path.write_text(self._placed(name, text.format(v=f"{self.saved:05}")))
            self._stamp = self._stamp or (path.stat().st_atime_ns, path.stat().st_mtime_ns)
            os.utime(path, ns=self._stamp)
        (self.directory / "next").symlink_to(folder.name)
        os.replace(self.directory / "next", self.directory / "now")

    def helper(self) -> None:
        """The version once more, but for an edited helper."""
        self._save("now/spices.py", f'V = "{self.saved:05}"  # {next(self._edits):05}\n')

    def comes_or_goes(self) -> None:
        """The ensemble `spa`."""
        self.spa = not self.spa
        self._network()

    def breaks(self, how: str) -> None:
        """A network file with errors."""
        self._save("network.yaml", OUTSIDE[how])

    def breaks_code(self) -> None:
        """A helper that fails as it is imported."""
        self._save("now/spices.py", f"V = '{self.saved:05}'\n1 / 0\n")

    def mends(self) -> None:
        self._network()
        self.helper()

    def _placed(self, name: str, text: str) -> str:
        return text + "placement: process\n" if name.removesuffix(".yaml") in self.apart else text

    def _save(self, name: str, text: str) -> None:
        """By renaming and in place, in turn."""
        if next(self._edits) % 2:
            (self.directory / name).write_text(text)
            return
        (self.directory / "draft").write_text(text)
        os.replace(self.directory / "draft", self.directory / name)

    def _network(self) -> None:
        self._save("network.yaml", NETWORK.format() + (SPA if self.spa else ""))


@dataclass(frozen=True, slots=True)
class Saving:
    """A save by its name, and whether it is refused."""

    name: str
    save: Callable[[Storm], None]
    refused: bool = False


SAVES = (
    Saving("code", Storm.version),
    Saving("live", Storm.live),
    Saving("helper", Storm.helper),
    Saving("ensemble", Storm.comes_or_goes),
    Saving("invalid", lambda storm: storm.breaks("yaml"), refused=True),
    Saving("mend", Storm.mends),
    Saving("code", Storm.version),
    Saving("invalid", Storm.breaks_code, refused=True),
    Saving("code", Storm.version),
    Saving("ensemble", Storm.comes_or_goes),
    Saving("live", Storm.live),
    Saving("invalid", lambda storm: storm.breaks("half"), refused=True),
    Saving("mend", Storm.mends),
)
"""What is saved, in turn."""


WRONGS = ("failed", "lost", "mixed", "older", "new")


@dataclass(slots=True)
class Judge:
    """Counts what must never be, of every answer; `examples` has the first of each."""

    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("failed", "lost", "mixed", "older", "new"), 0)
    )
    examples: dict[str, str] = field(default_factory=dict)
    seeds: set[str] = field(default_factory=set)
    answers: int = 0

    def judge(self, target: str, answer: WorkResponse, in_force: int, saved: int) -> None:
        """Of a call that was made when `in_force` was, and whose answer came when no more than `saved` was saved."""
        self.answers += 1
        if answer.status is not Status.COMPLETED:
            self._note("failed", f"{target}: {answer.status} {answer.error}")
        elif target.startswith("garden/"):
            self.seeds.add(str(answer.result))
        else:
            self._judge_parts(f"{target}: {answer.result}", str(answer.result), in_force, saved)

    def _judge_parts(self, example: str, result: str, in_force: int, saved: int) -> None:
        """The part of each ensemble is of one version; who was asked later is not of an earlier one."""
        began = in_force
        for part in result.split(" | "):
            versions = {int(word) for word in part.split()}
            if len(versions) != 1:
                self._note("mixed", example)
            if min(versions) < began:
                self._note("older", f"{example}, when {began} was in force")
            if max(versions) > saved:
                self._note("new", f"{example}, when {saved} was saved")
            began = min(versions)

    def lost(self, example: str) -> None:
        self._note("lost", example)

    def _note(self, what: str, example: str) -> None:
        self.counts[what] += 1
        self.examples.setdefault(what, example)

    @property
    def is_fine(self) -> bool:
        """Nothing was wrong; and the garden, whose code no save touched, remembered what it did."""
        return not any(self.counts.values()) and len(self.seeds) == 1
