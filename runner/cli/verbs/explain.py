"""`run-network explain`: the story of a code."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated

import typer

from runner.cli import output
from runner.cli.options import DEFAULT_FILE, AsJson, IdleFile, Verbose
from runner.cli.render import explanation as render
from runner.config.explain import codes, explain
from runner.errors import UsageProblem


def run(
    code: Annotated[str | None, typer.Argument(metavar="CODE", help="As in the brackets; none: list them.")] = None,
    file: IdleFile = DEFAULT_FILE,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> int:
    """Tell what a code means, with an example that fails and the same one fixed.

    \b
      run-network explain unknown-tag
      run-network explain                list every code
    """
    known = tuple(codes())
    if code is not None and code not in known:
        close = get_close_matches(code, known, n=1)
        raise UsageProblem(
            f"no code is called `{code}`",
            hint=f"did you mean `{close[0]}`?" if close else "`run-network explain` lists them all",
        )
    asked = [explain(name) for name in ([code] if code else known)]
    if as_json:
        told = [render.as_json(explanation) for explanation in asked]
        output.document(told[0] if code else told)
    elif code:
        output.data(render.story(asked[0], colour=output.coloured(output.stdout())))
    else:
        output.data(render.listing(asked))
    return 0
