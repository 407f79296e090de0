"""Every template compiles and only reads steps that are done before it."""

from __future__ import annotations

from tests.support.sources import said


def test_steps_are_looked_up_in_their_order() -> None:
    network = """\
network: n
ensembles:
  a:
    tasks:
      t:
        steps:
          - {id: one, template: "{{ steps.two }}"}
          - {id: two, template: {deep: ["{{ steps.one }}", "{{ steps.onne }}"]}}
          - {template: "x", when: "steps.three == 1"}
        output: "{{ steps.two }} {{ steps.nine }}"
"""
    assert (
        said(network)
        == """\
network.yaml:7:33: error[unknown-step]: the step `two` is not done yet here
  hint: a step only sees those before it
network.yaml:8:60: error[unknown-step]: `t` has no step called `onne`
  hint: did you mean `one`?
network.yaml:9:35: error[unknown-step]: `t` has no step called `three`
  hint: there are `one` and `two`
network.yaml:10:17: error[unknown-step]: `t` has no step called `nine`
  hint: there are `one` and `two`
""".rstrip()
    )


def test_what_does_not_compile_is_pointed_at() -> None:
    network = """\
network: n
ensembles:
  a:
    tasks:
      t:
        steps:
          - {template: "{{ context "}
          - {template: [fine, "{% if %}"]}
          - {template: fine, when: "1 +"}
"""
    assert (
        said(network)
        == """\
network.yaml:7:24: error[invalid-template]: unexpected end of template, expected 'end of print statement'.
network.yaml:8:31: error[invalid-template]: Expected an expression, got 'end of statement block'
network.yaml:9:36: error[invalid-template]: unexpected 'end of template'
""".rstrip()
    )


def test_with_needs_the_order_is_not_that_of_the_file() -> None:
    network = """\
network: n
ensembles:
  a:
    tasks:
      t:
        steps:
          - {id: one, template: "{{ steps.two }}", needs: [two]}
          - {id: two, template: Done.}
"""
    assert (
        said(network)
        == """\
network.yaml:7:52: warning[not-yet-supported]: `needs` on a step is not supported yet
  hint: until then, steps run in order
""".rstrip()
    )
