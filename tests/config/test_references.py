"""References are resolved, and what they stand for is never shown."""

from __future__ import annotations

from tests.support.sources import said


def test_an_unset_variable_is_guessed() -> None:
    network = """\
network: n
nats: {url: "${env:NATS_ULR}", credentials: "${file:nats.creds}"}
ensembles: {a: {description: "${env:NOWHERE}"}}
"""
    assert (
        said(network, {"NATS_URL": "nats://a:4222"})
        == """\
network.yaml:2:13: error[unset-reference]: the environment variable `NATS_ULR` is not set
  hint: did you mean `NATS_URL`?
network.yaml:2:45: error[missing-file]: `${file:nats.creds}`: there is no file `nats.creds`
network.yaml:3:30: error[unset-reference]: the environment variable `NOWHERE` is not set
  hint: set NOWHERE, put it in `.env`, or give a default: `${env:NOWHERE:-default}`
""".rstrip()
    )


def test_a_default_takes_its_place() -> None:
    network = """\
network: n
nats: {url: "${env:NATS_URL:-nats://127.0.0.1:4222}"}
ensembles: {a: {description: "${env:EMPTY:-x} ${env:SET}"}}
"""
    assert said(network, {"EMPTY": "", "SET": "y"}) == ""


def test_an_entry_that_is_switched_off_is_skipped_whole() -> None:
    network = """\
network: n
models:
  m:
    - {provider: openai, base_url: "${env:URL}", when: "${env:URL:-}"}
    - {provider: Bad Name, nonsense: 1, when: ""}
    - {provider: scripted}
deliveries: {erp: {webhook: {url: "${env:URL}"}, when: "${env:URL:-}"}}
ensembles: {a: {}}
"""
    assert (
        said(network)
        == """\
network.yaml:6:7: error[missing-key]: `script` is missing
  hint: a scripted model needs `script: PATH`
""".rstrip()
    )


def test_malformed_references() -> None:
    network = """\
network: n
ensembles: {a: {description: "${env:a b}", domain: "${env:OPEN"}, b: {description: "${other:x} $HOME {}"}}
"""
    assert (
        said(network)
        == """\
network.yaml:2:30: error[invalid-reference]: `${env:a b}` names no variable
  hint: write `${env:NAME}` or `${env:NAME:-default}`
network.yaml:2:52: error[invalid-reference]: the reference in `${env:OPEN` is not closed
  hint: end it with `}`
""".rstrip()
    )


def test_a_secret_is_named_by_its_reference() -> None:
    files = {
        "network.yaml": """\
network: n
models: {m: [{provider: "${env:CANARY}"}]}
defaults: {priority: "${env:CANARY}", deadline: "${env:CANARY}"}
ensembles:
  a: "${env:CANARY}"
  b: "${file:secret.txt}"
  c:
    uses: {x: {discover: "${env:TOKEN}"}, y: "${env:TOKEN}/cook", z: {tags: ["${env:TOKEN}"], delivery: "${env:TOKEN}"}}
    tasks: {t: {steps: [{tool: "${env:TOKEN}"}, {template: "{{ ${env:CANARY} "}]}}
    agents: {g: {model: "${env:TOKEN}", instructions: "${env:CANARY}.md"}}
""",
        "secret.txt": """\
FILE-CANARY
""",
    }
    assert (
        said(files, {"CANARY": "CANARY-123", "TOKEN": "token-canary"})
        == """\
network.yaml:2:25: error[invalid-name]: `${env:CANARY}` is no name
  hint: lower-case letters, digits and hyphens, a letter first, 63 at most
network.yaml:3:22: error[invalid-value]: `priority` cannot be `${env:CANARY}`
  hint: it may be `critical`, `high`, `normal` or `low`
network.yaml:3:49: error[invalid-value]: `deadline` is no duration: `${env:CANARY}`
  hint: write `30s`, `5m`, `1h30m` or `PT30M`
network.yaml:5:6: error[missing-file]: there is no file `${env:CANARY}`
network.yaml:6:6: error[missing-file]: there is no file `${file:secret.txt}`
network.yaml:8:43: error[unknown-ensemble]: no ensemble is called `${env:TOKEN}`
  hint: there is `c`
network.yaml:8:105: error[unknown-delivery]: no delivery is called `${env:TOKEN}`
  hint: add it to `deliveries:` in the network file
network.yaml:9:32: error[unknown-tool]: `c` has no tool called `${env:TOKEN}`
  hint: add it to `tools:`
network.yaml:9:60: error[invalid-template]: unexpected end of template, expected 'end of print statement'.
network.yaml:10:25: error[unknown-model]: no model route is called `${env:TOKEN}`
  hint: add it to `models:` in the network file
network.yaml:10:55: error[missing-file]: there is no file `${env:CANARY}.md`
""".rstrip()
    )


def test_files_are_relative_to_who_says_them() -> None:
    files = {
        "network.yaml": """\
network: n
ensembles: {a: parts/a.yaml}
""",
        "parts/a.yaml": """\
description: "${file:note.txt}"
domain: "${file:../../x}"
""",
        "parts/note.txt": """\
Hello.
""",
    }
    assert (
        said(files)
        == """\
parts/a.yaml:2:9: error[path-outside]: `${file:../../x}`: `../../x` leaves the network file's directory
  hint: keep it in the folder of the network file, and name it by a relative path
""".rstrip()
    )
