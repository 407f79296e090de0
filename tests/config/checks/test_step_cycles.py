"""The steps of a task can all begin."""

from __future__ import annotations

from tests.support.sources import said


def test_each_cycle_is_told_once_where_it_closes() -> None:
    network = """\
network: n
ensembles:
  a:
    tasks:
      t:
        steps:
          - {id: one, template: x, needs: [one, two]}
          - {id: two, template: x, needs: [four, three]}
          - {id: three, template: x, needs: [one]}
          - {id: four, template: x}
          - {id: five, template: x, needs: [one, two]}
"""
    assert (
        said(network)
        == """\
network.yaml:7:44: error[step-cycle]: the step `one` of `t` waits for itself
  hint: take it out
network.yaml:9:46: error[step-cycle]: these steps of `t` wait for each other: one → two → three → one
  hint: take one of these `needs` out
""".rstrip()
    )


def test_a_step_that_many_need_is_no_cycle_and_a_long_chain_is_read_in_a_moment() -> None:
    steps = ["{id: s0, template: x}"]
    steps += [f"{{id: s{number}, template: x, needs: [s{number - 1}, s0]}}" for number in range(1, 500)]
    assert said(f"network: n\nensembles: {{a: {{tasks: {{t: {{steps: [{', '.join(steps)}]}}}}}}}}\n") == ""
