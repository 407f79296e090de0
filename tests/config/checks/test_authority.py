# ruff: noqa: E501 - as it is printed
"""A use does not require more authority than its provider is registered for."""

from __future__ import annotations

from tests.support.sources import said


def test_the_ensembles_level_is_the_default() -> None:
    network = """\
network: n
ensembles:
  a:
    uses: {x: {to: b/t, authority: supervised}, y: {to: b/u, authority: supervised}, z: {to: b/t, authority: human_required}}
  b:
    authority: supervised
    tasks:
      t: {share: true, steps: [{template: Done.}]}
      u: {share: {authority: autonomous}, steps: [{template: Done.}]}
"""
    assert (
        said(network)
        == """\
network.yaml:4:25: error[not-yet-supported]: requiring `supervised` is not supported yet
  hint: take it out; running without it would loosen a guard
network.yaml:4:62: error[not-yet-supported]: requiring `supervised` is not supported yet
  hint: take it out; running without it would loosen a guard
network.yaml:4:73: error[authority-exceeded]: this requires `supervised`, but `b/u` is registered for `autonomous` at most
  hint: lower it, or raise `authority:` of `b/u`
network.yaml:4:99: error[not-yet-supported]: requiring `human_required` is not supported yet
  hint: take it out; running without it would loosen a guard
network.yaml:4:110: error[authority-exceeded]: this requires `human_required`, but `b/t` is registered for `supervised` at most
  hint: lower it, or raise `authority:` of `b/t`
""".rstrip()
    )
