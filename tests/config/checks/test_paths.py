# ruff: noqa: E501 - as it is printed
"""Files that are named are there, inside the network file's directory."""

from __future__ import annotations

from tests.support.sources import said


def test_every_kind_of_file_is_looked_for() -> None:
    files = {
        "network.yaml": """\
network: n
models: {m: [{provider: scripted, script: scripts/m.yaml}]}
ensembles:
  a: parts/a.yaml
  b: parts/b.yaml
  c: parts
  d: /etc/d.yaml
  e: link.yaml
""",
        "parts/a.yaml": """\
agents: {x: {model: m, instructions: ../../secret.md}, y: {model: m, instructions: prompts/y.md}, z: {model: m, instructions: Be kind. See z.md}}
tools: {t: {python: "tools.deep:t"}}
tasks: {u: {input_schema: u.json, steps: [{template: Done.}]}}
""",
    }
    assert (
        said(files, links=["link.yaml"])
        == """\
network.yaml:2:43: error[missing-file]: there is no file `scripts/m.yaml`
network.yaml:5:6: error[missing-file]: there is no file `parts/b.yaml`
network.yaml:6:6: error[unreadable-file]: `parts` is a folder
  hint: name a file
network.yaml:7:6: error[path-outside]: `/etc/d.yaml` leaves the network file's directory
  hint: keep it in the folder of the network file, and name it by a relative path
network.yaml:8:6: error[path-outside]: `link.yaml` leaves the network file's directory
  hint: keep it in the folder of the network file, and name it by a relative path
parts/a.yaml:1:38: error[path-outside]: `../../secret.md` leaves the network file's directory
  hint: keep it in the folder of the network file, and name it by a relative path
parts/a.yaml:1:84: error[missing-file]: there is no file `prompts/y.md`
  hint: looked for `parts/prompts/y.md`
parts/a.yaml:2:21: error[missing-file]: there is no file `tools/deep.py`
  hint: looked for `parts/tools/deep.py`
parts/a.yaml:3:27: error[missing-file]: there is no file `u.json`
  hint: looked for `parts/u.json`
""".rstrip()
    )
