"""A profile changes ensembles that exist."""

from __future__ import annotations

from tests.support.sources import said


def test_its_ensembles_are_looked_up() -> None:
    network = """\
network: n
profiles: {weekend: {kitchn: {replicas: 2}}}
ensembles:
  kitchen:
    tasks: {cook: {share: [food], steps: [{template: Done.}]}}
"""
    assert (
        said(network)
        == """\
network.yaml:2:12: warning[not-yet-supported]: the profile `weekend` is not supported yet
  hint: until then, the ensembles stay as they are
network.yaml:2:22: error[unknown-ensemble]: no ensemble is called `kitchn`
  hint: did you mean `kitchen`?
""".rstrip()
    )
