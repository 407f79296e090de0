"""A python target is a module that parses and binds the name."""

from __future__ import annotations

from tests.support.sources import read, said


def test_names_bound_in_any_common_way_are_found() -> None:
    files = {
        "network.yaml": """\
network: n
ensembles:
  a:
    tools:
      t0: {python: "m:f"}
      t1: {python: "m:g"}
      t2: {python: "m:C"}
      t3: {python: "m:h"}
      t4: {python: "m:os"}
      t5: {python: "m:j"}
      t6: {python: "m:k"}
      t7: {python: "m:l"}
      t8: {python: "m:missing"}
      t9: {python: "m:inner"}
      t10: {python: "m:n"}
      t11: {python: "m:noted"}
""",
        "m.py": """\
import os
from json import loads as h
def f():
    inner = 1
async def g(): ...
class C: ...
if True:
    j = f
else:
    k, (l, *n) = f, (f, f)
noted: int
""",
    }
    assert (
        said(files)
        == """\
network.yaml:13:20: error[unknown-function]: `m.py` binds no `missing`
network.yaml:14:20: error[unknown-function]: `m.py` binds no `inner`
network.yaml:16:21: error[unknown-function]: `m.py` binds no `noted`
""".rstrip()
    )


def test_a_module_is_parsed_and_never_run() -> None:
    files = {
        "network.yaml": """\
network: n
ensembles:
  a:
    tools: {t: {python: "m:f"}, u: {python: "n:f"}, v: {python: "m.py:f"}}
    tasks: {x: {steps: [{python: "o:f"}]}}
""",
        "m.py": """\
raise SystemExit('ran')
def f(): ...
""",
        "n.py": """\
def f(:
""",
        "o.py": b"\x00",
    }
    assert (
        said(files)
        == """\
network.yaml:4:45: error[invalid-python]: `n.py` does not parse: invalid syntax
  hint: see n.py:1
network.yaml:4:65: error[missing-file]: there is no file `m/py.py`
network.yaml:5:34: error[invalid-python]: `o.py` does not parse: source code string cannot contain null bytes
""".rstrip()
    )


def test_a_module_that_does_not_parse_is_told_once_with_all_who_name_it() -> None:
    files = {
        "network.yaml": """\
network: n
ensembles:
  a:
    tools: {t: {python: "m:f"}, u: {python: "m:g"}}
    health: {python: "m:well"}
    tasks: {x: {steps: [{template: Hm.}, {python: "m:h"}]}}
  b: {tools: {v: {python: "m:f"}}}
""",
        "m.py": "def f(:\n",
    }
    assert (
        said(files)
        == """\
network.yaml:4:25: error[invalid-python]: `m.py` does not parse: invalid syntax
  hint: see m.py:1; it is named by the tool `a/t`, the tool `a/u`, the health of `a`, step 2 of `a/x` and the tool `b/v`
""".rstrip()
    )


def test_of_very_many_who_name_a_broken_module_some_are_told() -> None:
    tools = "".join(f'      t{number}: {{python: "m:f"}}\n' for number in range(100))
    files = {"network.yaml": f"network: n\nensembles:\n  a:\n    tools:\n{tools}", "m.py": "("}
    (told,) = read(files).diagnostics
    assert told.hint is not None
    assert told.hint.endswith("the tool `a/t5` and 94 more")
