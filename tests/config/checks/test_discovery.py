# ruff: noqa: E501 - as it is printed
"""A discovered use can be met by somebody."""

from __future__ import annotations

from tests.support.sources import said


def test_nobody_shares_it_is_a_warning() -> None:
    network = """\
network: n
ensembles:
  bar:
    uses: {a: {discover: cok}, b: {discover: cook, tags: [drink]}, c: {tags: [drink, cold]}, d: {discover: cook, tags: [food]}}
  kitchen:
    tasks: {cook: {share: [food], steps: [{template: Done.}]}}
"""
    assert (
        said(network)
        == """\
network.yaml:4:26: warning[no-provider]: no other ensemble shares a capability called `cok`
  hint: did you mean `cook`?
network.yaml:4:46: warning[no-provider]: no other ensemble shares a capability called `cook` with the tag `drink`
  hint: it waits until an ensemble shares one
network.yaml:4:78: warning[no-provider]: no other ensemble shares a capability with the tags `drink` and `cold`
  hint: it waits until an ensemble shares one
""".rstrip()
    )


def test_ones_own_capability_does_not_count() -> None:
    network = """\
network: n
ensembles:
  kitchen:
    uses: {a: {discover: cook}}
    tasks: {cook: {share: true, steps: [{template: Done.}]}}
"""
    assert (
        said(network)
        == """\
network.yaml:4:26: warning[no-provider]: no other ensemble shares a capability called `cook`
  hint: it waits until an ensemble shares one
""".rstrip()
    )


def test_an_unread_ensemble_may_be_the_provider() -> None:
    network = """\
network: n
ensembles:
  bar:
    uses: {a: {discover: bake}}
  bakery: bakery.yaml
"""
    assert (
        said(network)
        == """\
network.yaml:5:11: error[missing-file]: there is no file `bakery.yaml`
""".rstrip()
    )
