"""A review asks a role that somebody can hold."""

from __future__ import annotations

from tests.support.sources import said


def test_the_operator_is_built_in() -> None:
    network = """\
network: n
ensembles:
  bar:
    tasks: {t: {steps: [{review: {role: operator}}, {review: {role: chef}}]}}
"""
    assert (
        said(network)
        == """\
network.yaml:4:26: error[not-yet-supported]: a `review` step is not supported yet
  hint: take it out; running without it would loosen a guard
network.yaml:4:54: error[not-yet-supported]: a `review` step is not supported yet
  hint: take it out; running without it would loosen a guard
network.yaml:4:69: error[unknown-role]: no role is called `chef`
  hint: there is `operator`
""".rstrip()
    )
