"""A script's expressions and templates compile."""

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
