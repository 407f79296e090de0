"""`run-network schema`: the JSON Schemas of the files and of the wire."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer

from runner.cli import output
from runner.cli.options import DEFAULT_FILE, AsJson, IdleFile, Verbose
from runner.config.schema import schemas
from runner.errors import UsageProblem


def run(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The one to print; without it, a list.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Write them all as files.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 if a written file is not up to date.")] = False,
    directory: Annotated[
        str, typer.Option("--directory", metavar="DIR", help="Where --write and --check look.")
    ] = "schemas",
    file: IdleFile = DEFAULT_FILE,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> int:
    """Print a JSON Schema, for an editor or another language.

    \b
      run-network schema                 the names
      run-network schema network         one, on stdout
      run-network schema --write         all of them, into schemas/
    """
    if sum((name is not None, write, check)) > 1:
        raise UsageProblem("NAME, --write and --check exclude each other")
    generated = {_file_name(key): text for key, text in sorted(schemas().items())}
    if write:
        return _write(Path(directory), generated)
    if check:
        return _check(Path(directory), generated)
    if name is not None:
        output.data(_named(name, generated).rstrip("\n"))
    elif as_json:
        output.document(list(generated))
    else:
        output.data("\n".join(generated))
    return 0


def _file_name(key: str) -> str:
    return key if key.endswith(".json") else f"{key}.schema.json"


def _named(name: str, generated: dict[str, str]) -> str:
    short = {file.removesuffix(".schema.json"): text for file, text in generated.items()}
    found = generated.get(name) or short.get(name)
    if found is None:
        close = get_close_matches(name, short, n=1)
        hint = f"did you mean `{close[0]}`?" if close else "`run-network schema` lists them"
        raise UsageProblem(f"no schema is called `{name}`", hint=hint)
    return found


def _write(directory: Path, generated: dict[str, str]) -> int:
    """Raises UsageProblem where the place cannot be written to."""
    for file, text in generated.items():
        try:
            directory.mkdir(parents=True, exist_ok=True)
            (directory / file).write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageProblem(f"cannot write {directory / file}: {error.strerror}") from None
        output.talk(f"wrote {directory / file}")
    return 0


def _check(directory: Path, generated: dict[str, str]) -> int:
    stale = [file for file, text in generated.items() if _written(directory / file) != text]
    extra = sorted(p.name for p in directory.glob("*.schema.json") if p.name not in generated)
    if stale or extra:
        raise UsageProblem(
            f"not up to date in {directory}: {', '.join([*stale, *extra])}",
            hint="run `run-network schema --write`, and remove what no longer exists",
            code="stale-schema",
        )
    return 0


def _written(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
