"""The command `run-network`: finds the verb, imports only that, and lets every failure out by one door."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

import runner
from runner.cli import door, early, journal, output
from runner.cli.verbs.table import DEFAULT_VERB, LATER, VERBS
from runner.errors import UsageProblem

HELP = """Run a network of agent ensembles that a YAML file declares.

\b
  run-network init hello && cd hello      a small network to start from
  run-network                             bring ./network.yaml up; Ctrl-C stops it
  run-network call shop/order "2 lamps"   ask a capability of an ensemble
  run-network call count-stock "lamps"    the same, whoever offers it
  run-network validate                    what is wrong with the file, all at once
  run-network status                      what is up, and how busy it is

Every verb takes -f FILE (default ./network.yaml) and answers --help.
"""
TOP_LEVEL_OPTIONS = frozenset({"--help", "-h", "--version"})
_GRACE_SECONDS = 2.0


class Verbs(TyperGroup):
    """The verbs of the table. The parser's own types are private to Typer, hence `Any`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Options before any verb belong to the default verb."""
        if not args or (args[0].startswith("-") and args[0] not in TOP_LEVEL_OPTIONS):
            args = [DEFAULT_VERB, *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in VERBS:
            raise unknown_verb(cmd_name)
        return load(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The verbs with their one line, from the table: help imports none of them."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, verb.help) for name, verb in VERBS.items()])


def load(name: str) -> Any:
    """The command of one verb, its module imported now."""
    module = import_module(f"runner.cli.verbs.{VERBS[name].module}")
    early.release()
    single = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=_HELP_OPTIONS)
    single.command(name)(module.run)
    return get_command(single)


def unknown_verb(name: str) -> UsageProblem:
    if name in LATER:
        return UsageProblem(f"`{name}` is not yet supported", hint="a later version brings it")
    close = get_close_matches(name, VERBS, n=1)
    return UsageProblem(
        f"no verb is called `{name}`",
        hint=f"did you mean `{close[0]}`?" if close else "`run-network --help` lists the verbs",
    )


def show_version(asked: bool) -> None:
    if asked:
        print(f"run-network {runner.__version__}")
        raise typer.Exit


_HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}
_app = typer.Typer(
    cls=Verbs,
    add_completion=False,
    rich_markup_mode=None,
    context_settings=_HELP_OPTIONS,
    options_metavar="",
    subcommand_metavar="[VERB] [OPTIONS]",
)


@_app.callback(help=HELP)
def top(
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=show_version, is_eager=True),
) -> None:
    """Options of the command itself."""


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code. Nothing escapes but SystemExit."""
    journal.hush()
    command = get_command(_app)
    return door.guarded(
        lambda: command.main(args=list(arguments), prog_name="run-network", standalone_mode=False), arguments
    )


def main() -> None:
    """Run the command line of this process and end it, whatever threads user code has left behind."""
    output.prepare()
    code = run(sys.argv[1:])
    early.leave_at_once()
    _end_within(_GRACE_SECONDS, code)
    sys.exit(code)


def _end_within(seconds: float, code: int) -> None:
    """Python waits for every thread that is no daemon, and runs what user code registered for the end: not for ever."""
    bound = threading.Timer(seconds, os._exit, [code])
    bound.daemon = True
    bound.start()
