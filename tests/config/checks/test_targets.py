"""A named provider exists and shares what is asked of it."""

from __future__ import annotations

from tests.support.sources import said


def test_a_misspelt_ensemble_is_guessed() -> None:
    network = """\
network: n
ensembles:
  bar:
    uses: {a: kitchn/cook, b: {to: kitchen/cook, fallback: nowhere/cook}}
  kitchen:
    tasks: {cook: {share: [food], steps: [{template: Done.}]}}
"""
    assert (
        said(network)
        == """\
network.yaml:4:12: error[unknown-ensemble]: no ensemble is called `kitchn`
  hint: did you mean `kitchen/cook`?
network.yaml:4:60: error[unknown-ensemble]: no ensemble is called `nowhere`
  hint: did you mean `kitchen/cook`?
""".rstrip()
    )


def test_a_misspelt_capability_is_guessed() -> None:
    network = """\
network: n
ensembles:
  bar:
    uses: {a: kitchen/cok}
  kitchen:
    tasks: {cook: {share: [food], steps: [{template: Done.}]}}
"""
    assert (
        said(network)
        == """\
network.yaml:4:12: error[unknown-capability]: `kitchen` has no tool or task called `cok`
  hint: did you mean `cook`?
""".rstrip()
    )


def test_a_private_capability_is_not_for_others() -> None:
    network = """\
network: n
ensembles:
  bar:
    uses: {a: kitchen/wash}
  kitchen:
    tasks: {wash: {steps: [{template: Done.}]}}
"""
    assert (
        said(network)
        == """\
network.yaml:4:12: error[not-shared]: `kitchen` does not share `wash`
  hint: add `share: true` to it
""".rstrip()
    )


def test_what_was_reported_itself_is_not_reported_as_unknown() -> None:
    """A broken ensemble, capability or share is one problem, not one more for each use."""
    network = """\
network: n
ensembles:
  bar:
    uses: {a: kitchen/cook, b: cellar/wine, c: attic/dust, d: kitchen/bake, e: garden/weed}
  kitchen:
    tasks: {cook: {share: maybe, steps: [{template: Done.}]}, bake: {share: true}}
  cellar: cellar.yaml
  attic: 5
  garden:
    taks: {weed: {share: true, steps: [{template: Done.}]}}
"""
    assert (
        said(network)
        == """\
network.yaml:6:27: error[wrong-type]: `share` must be true, a list of tags or a mapping, not text
network.yaml:6:63: error[missing-key]: the key `steps` of `bake` is missing
  hint: add `steps:`
network.yaml:7:11: error[missing-file]: there is no file `cellar.yaml`
network.yaml:8:3: error[wrong-type]: `attic` must be an ensemble
  hint: write the path of its file, or the ensemble itself
network.yaml:10:5: error[unknown-key]: there is no key `taks` here
  hint: did you mean `tasks`?
""".rstrip()
    )
