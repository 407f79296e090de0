"""A model route leads somewhere."""

from __future__ import annotations

from tests.support.sources import said


def test_a_route_whose_models_are_all_switched_off_is_a_warning() -> None:
    network = """\
network: n
models:
  talk: [{provider: openai, api_key: "${env:KEY}", when: "${env:KEY:-}"}]
  none: []
ensembles: {bar: {}}
"""
    assert (
        said(network)
        == """\
network.yaml:3:3: warning[empty-route]: every model of `talk` is switched off
  hint: add a `provider: scripted` entry last, which needs no key
network.yaml:4:3: warning[empty-route]: the route `none` has no model
  hint: add a `provider: scripted` entry last, which needs no key
""".rstrip()
    )
