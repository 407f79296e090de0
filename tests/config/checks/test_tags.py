"""With a vocabulary, every tag is one of its words."""

from __future__ import annotations

from tests.support.sources import said


def test_a_stranger_is_guessed_and_an_alias_is_none() -> None:
    network = """\
network: n
tags: {food: meals, stock: {description: goods, aliases: [inventory]}}
ensembles:
  bar:
    uses: {a: {tags: [fodo]}, b: {tags: [inventory]}}
  kitchen:
    tasks:
      cook: {share: [foods], steps: [{template: Done.}]}
      count: {share: {tags: [stock, glass]}, steps: [{template: Done.}]}
"""
    assert (
        said(network)
        == """\
network.yaml:5:23: error[unknown-tag]: the tag `fodo` is not in the vocabulary
  hint: did you mean `food`?
network.yaml:8:22: error[unknown-tag]: the tag `foods` is not in the vocabulary
  hint: did you mean `food`?
network.yaml:9:37: error[unknown-tag]: the tag `glass` is not in the vocabulary
  hint: add it to `tags:` in the network file
""".rstrip()
    )


def test_without_a_vocabulary_every_tag_is_fine() -> None:
    network = """\
network: n
ensembles:
  kitchen:
    tasks: {cook: {share: [anything], steps: [{template: Done.}]}}
"""
    assert said(network) == ""


def test_an_alias_stands_for_one_tag() -> None:
    network = """\
network: n
tags: {food: {aliases: [stock, meals]}, stock: {aliases: [meals]}}
ensembles: {kitchen: {}}
"""
    assert (
        said(network)
        == """\
network.yaml:2:25: error[ambiguous-tag]: the alias `stock` is a tag itself
  hint: keep one of the two
network.yaml:2:59: error[ambiguous-tag]: the alias `meals` already stands for `food`
  hint: keep one of the two
""".rstrip()
    )


def test_an_alias_is_discovered_by_its_tag() -> None:
    network = """\
network: n
tags: {food: meals, stock: {description: goods, aliases: [inventory]}}
ensembles:
  bar:
    uses: {a: {tags: [stock]}}
  kitchen:
    tasks: {count: {share: [inventory], steps: [{template: Done.}]}}
"""
    assert said(network) == ""


def test_what_agents_look_up_is_in_the_vocabulary_and_counts_as_used() -> None:
    files = {
        "network.yaml": """\
network: n
tags: {food: {aliases: [meals]}, drinks: ""}
models: {talk: [{provider: scripted, script: s.yaml}]}
ensembles:
  bar:
    uses: {pour: cellar/pour}
    agents: {host: {model: talk, tools: [pour, {catalog: {tags: [meals]}}, {catalog: {tags: [fodo]}}]}}
    tasks: {serve: {steps: [{agent: host}]}}
  cellar:
    tasks: {pour: {share: [drinks], steps: [{template: Done.}]}}
  kitchen:
    tasks:
      cook: {share: [food], steps: [{template: Done.}]}
      mix: {share: [drinks], steps: [{template: Done.}]}
  spa:
    agents: {guide: {model: talk, tools: [{catalog: {}}]}}
""",
        "s.yaml": "cases: [{say: Yes.}]\n",
    }
    told = said(files)
    assert (
        told
        == """\
network.yaml:7:94: error[unknown-tag]: the tag `fodo` is not in the vocabulary
  hint: did you mean `food`?
network.yaml:16:44: error[missing-key]: `catalog` says neither `tags` nor `name`
  hint: name a tag at least
""".rstrip()
    )
