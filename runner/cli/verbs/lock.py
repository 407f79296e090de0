"""`run-network lock`: what discovered uses come to, written down."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import JsonValue

from runner.cli import output
from runner.cli.load import base_of, network_of, workspace_of
from runner.cli.options import DEFAULT_FILE, AsJson, NetworkFile, Verbose
from runner.cli.render.style import counted, visible
from runner.config.codes import Rule
from runner.config.lock import Drift, Lock, Moved, drifts, lock_name, lock_of, written
from runner.config.locking import NoLock, Opened, read_lock
from runner.errors import InvalidNetwork, UsageProblem
from runner.workspace import Workspace

_CODE = Rule.LOCK_DRIFT.value
_HINT = "`run-network lock --update` writes it anew"
_SIGNS = {Moved.USE_ADDED: "+", Moved.PROVIDER_ADDED: "+", Moved.USE_REMOVED: "-", Moved.PROVIDER_REMOVED: "-"}


def run(
    file: NetworkFile = DEFAULT_FILE,
    update: Annotated[bool, typer.Option("--update", help="Show what drifted, and write it anew.")] = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> int:
    """Write `network.lock`: what each discovered use may come to, with a fingerprint of each contract.

    \b
      run-network lock               write it, or say whether it still holds
      run-network lock --update      show what drifted, and write it anew
      run-network validate --locked  and `up --locked`: refuse what drifted

    It is made of the files alone and needs no running network. Exits 1 where a lock is there that does not hold.
    """
    workspace = workspace_of(file)
    network, path = network_of(workspace), workspace.directory / lock_name(workspace.file.name)
    now, before = lock_of(network), _before(workspace, update=update)
    changes = drifts(before, now, network) if before is not None else ()
    shown = base_of(workspace) + path.name
    if changes and not update:
        raise UsageProblem(f"{shown} does not hold: {'; '.join(d.words for d in changes)}", hint=_HINT, code=_CODE)
    wrote = _write(path, written(now)) if before is None or (update and before != now) else False
    if as_json:
        output.document(_document(shown, now, changes, wrote=wrote))
    else:
        output.data("\n".join([*map(_line, changes), _told(shown, now, changes, wrote=wrote)]))
    return 0


def _before(workspace: Workspace, *, update: bool) -> Lock | None:
    """The lock that is there. With `update` one that cannot be read is as good as none."""
    match read_lock(workspace, workspace.file.name):
        case Opened(lock):
            return lock
        case NoLock(diagnostics, missing):
            if missing or update:
                return None
            raise InvalidNetwork(diagnostics, {})


def _write(path: Path, text: str) -> bool:
    """Whole or not at all."""
    aside = path.with_name(f".{path.name}.new")
    try:
        aside.write_text(text, encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        raise UsageProblem(f"cannot write {path}: {error.strerror}") from None
    return True


def _line(drift: Drift) -> str:
    return visible(f"{_SIGNS.get(drift.moved, '~')} {drift.words}")


def _told(shown: str, lock: Lock, changes: tuple[Drift, ...], *, wrote: bool) -> str:
    contents = f"{counted(len(lock.uses), 'discovered use')}, {counted(_providers(lock), 'provider')}"
    if not wrote:
        return f"{shown} holds: {contents}"
    return f"{shown} written: {contents}" + (f", {counted(len(changes), 'change')}" if changes else "")


def _providers(lock: Lock) -> int:
    return len({target for use in lock.uses.values() for target in use.providers})


def _document(shown: str, lock: Lock, changes: tuple[Drift, ...], *, wrote: bool) -> JsonValue:
    uses: list[JsonValue] = [
        {
            "use": name,
            "need": use.need,
            "providers": [{"provider": target, "version": use.providers[target]} for target in sorted(use.providers)],
        }
        for name, use in sorted(lock.uses.items())
    ]
    moved: list[JsonValue] = [
        {
            "change": drift.moved.value,
            "use": use,
            "provider": drift.provider,
            "before": drift.before,
            "after": drift.after,
            "what": list(drift.what),
        }
        for drift in changes
        for use in drift.uses
    ]
    return {"file": shown, "written": wrote, "uses": uses, "changes": moved}
