"""A script's expressions and templates compile, and read only what their case gives them."""

from __future__ import annotations

from tests.support.sources import said


def test_a_script_is_judged_like_any_file() -> None:
    files = {
        "network.yaml": """\
network: n
models: {m: [{provider: scripted, script: s.yaml}]}
ensembles: {a: {}}
""",
        "s.yaml": """\
cases:
  - {match: "(", say: Yes.}
  - {when: "prompt ==", say: "{{ prompt"}
  - turns: [{tool: find, input: "{{ x }", when: "a b", sve: y}]
    sai: No.
""",
    }
    assert (
        said(files)
        == """\
s.yaml:2:13: error[invalid-value]: this is no regular expression: missing ), unterminated subpattern at position 0
s.yaml:3:12: error[invalid-template]: unexpected 'end of template'
s.yaml:3:30: error[invalid-template]: unexpected end of template, expected 'end of print statement'.
s.yaml:4:56: error[unknown-key]: there is no key `sve` here
  hint: did you mean `save`?
s.yaml:5:5: error[unknown-key]: there is no key `sai` here
  hint: did you mean `say`?
""".rstrip()
    )


def _said(script: str) -> str:
    network = "network: n\nmodels: {m: [{provider: scripted, script: s.yaml}]}\nensembles: {a: {}}\n"
    return said({"network.yaml": network, "s.yaml": script})


def test_a_case_gives_its_groups_and_what_its_turns_saved_so_far() -> None:
    script = """\
cases:
  - match: "(?P<room>\\\\d+)"
    when: room == agent
    turns:
      - {tool: find-guest, input: "{{ room }} {{ find_guest }}", when: guests is none}
      - {tool: order, input: "{{ find_guest }}", when: find_guest.found, save: meal}
    say: "{{ meal }} {{ order }} {{ steps.a }} {{ instructions }}"
  - {when: "'x' in promt", say: "{{ room }}"}
"""
    assert (
        _said(script)
        == """\
s.yaml:5:35: error[unknown-variable]: there is no variable `find_guest` here
  hint: there are `agent`, `instructions`, `prompt`, `room` and `tools`
s.yaml:5:72: error[unknown-variable]: there is no variable `guests` here
  hint: there are `agent`, `instructions`, `prompt`, `room` and `tools`
s.yaml:7:10: error[unknown-variable]: there is no variable `order` here
  hint: there are `agent`, `find_guest`, `instructions`, `meal`, `prompt`, `room` and `tools`
s.yaml:7:10: error[unknown-variable]: there is no variable `steps` here
  hint: there are `agent`, `find_guest`, `instructions`, `meal`, `prompt`, `room` and `tools`
s.yaml:8:12: error[unknown-variable]: there is no variable `promt` here
  hint: did you mean `prompt`?
s.yaml:8:33: error[unknown-variable]: there is no variable `room` here
  hint: did you mean `prompt`?
""".rstrip()
    )


def test_where_a_pattern_or_a_turn_was_not_understood_no_name_is_doubted() -> None:
    script = """\
cases:
  - {match: "(?P<room", say: "{{ room }}"}
  - {match: 7, say: "{{ room }}"}
  - {turns: [{tool: find, sve: guest}], say: "{{ guest }}"}
"""
    assert "variable" not in _said(script)
