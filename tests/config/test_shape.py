"""Every problem of shape is told at once, in plain words, and followed by nothing."""

from __future__ import annotations

from tests.support.sources import said


def test_typing_errors_in_keys() -> None:
    network = """\
network: n
ensembels: {}
ensembles:
  bar:
    tols: {}
    uses: {a: {too: kitchen/cook}}
    tools: {b: {pyton: "m:f"}}
    tasks: {c: {stepz: []}, d: {steps: [{tol: x}]}}
"""
    assert (
        said(network)
        == """\
network.yaml:2:1: error[unknown-key]: there is no key `ensembels` here
  hint: did you mean `ensembles`?
network.yaml:5:5: error[unknown-key]: there is no key `tols` here
  hint: did you mean `tools`?
network.yaml:6:16: error[unknown-key]: there is no key `too` here
  hint: did you mean `to`?
network.yaml:7:17: error[unknown-key]: there is no key `pyton` here
  hint: did you mean `python`?
network.yaml:8:17: error[unknown-key]: there is no key `stepz` here
  hint: did you mean `steps`?
network.yaml:8:42: error[unknown-key]: there is no key `tol` here
  hint: did you mean `tool`?
""".rstrip()
    )


def test_wrong_kinds() -> None:
    network = """\
network: n
nats:
tags: [food]
models: {m: {provider: scripted}}
defaults: {deadline: 30, max_hops: many, priority: [high]}
ensembles:
  bar:
    description: [Serves.]
    replicas: two
    capacity: 4
    uses: {a: 5, b: [kitchen/cook]}
    tools: {c: }
    tasks: {d: {share: 7, steps: {tool: c}}, e: {steps: [tool, 5]}}
"""
    assert (
        said(network)
        == """\
network.yaml:2:6: error[wrong-type]: `nats` must be a mapping, not empty
network.yaml:3:7: error[wrong-type]: `tags` must be a mapping, not a list
network.yaml:4:13: error[wrong-type]: `m` must be a list, not a mapping
network.yaml:5:22: error[wrong-type]: `deadline` must be a duration
  hint: write `30s`, `5m`, `1h30m` or `PT30M`
network.yaml:5:36: error[wrong-type]: `max_hops` must be a whole number, not text
network.yaml:5:52: error[invalid-value]: `priority` cannot be a list
  hint: it may be `critical`, `high`, `normal` or `low`
network.yaml:8:18: error[wrong-type]: `description` must be text, not a list
network.yaml:9:15: error[wrong-type]: `replicas` must be a whole number, not text
network.yaml:10:15: error[wrong-type]: `capacity` must be a mapping, not a number
network.yaml:11:15: error[wrong-type]: `a` must be `ensemble/capability` or a mapping, not a number
network.yaml:11:21: error[wrong-type]: `b` must be `ensemble/capability` or a mapping, not a list
network.yaml:12:16: error[wrong-type]: `c` must be a mapping, not empty
network.yaml:13:24: error[wrong-type]: `share` must be true, a list of tags or a mapping, not a number
network.yaml:13:34: error[wrong-type]: `steps` must be a list, not a mapping
network.yaml:13:58: error[wrong-type]: item 1 of `steps` must be a mapping, not text
network.yaml:13:64: error[wrong-type]: item 2 of `steps` must be a mapping, not a number
""".rstrip()
    )


def test_wrong_values() -> None:
    network = """\
network: n
version: 2
nats: {url: [localhost]}
defaults: {deadline: soon, drain_timeout: 0s, priority: hihg, max_hops: 0}
ensembles:
  bar:
    placement: inlin
    scope: ["*", kitchen]
    capacity: {max_concurrent: 0, backpressure: 0}
    uses: {a: kitchen, b: {to: kitchen/cook/fast}}
    tools: {c: {python: c.py}}
    tasks: {d: {steps: []}}
"""
    assert (
        said(network)
        == """\
network.yaml:2:10: error[invalid-value]: `version` cannot be `2`
  hint: it may be `1`
network.yaml:3:14: error[invalid-value]: `localhost` is no address of a server
  hint: write `nats://HOST:PORT`
network.yaml:4:22: error[invalid-value]: `deadline` is no duration: `soon`
  hint: write `30s`, `5m`, `1h30m` or `PT30M`
network.yaml:4:43: error[invalid-value]: `drain_timeout` must be longer than nothing
  hint: write `30s`, `5m`, `1h30m` or `PT30M`
network.yaml:4:57: error[invalid-value]: `priority` cannot be `hihg`
  hint: did you mean `high`?
network.yaml:4:73: error[invalid-value]: `max_hops` must be at least 1
network.yaml:7:16: error[invalid-value]: `placement` cannot be `inlin`
  hint: did you mean `inline`?
network.yaml:8:18: error[invalid-value]: `kitchen` is no scope
  hint: write `*`, `ensemble/*` or `ensemble/capability`
network.yaml:9:32: error[invalid-value]: `max_concurrent` must be at least 1
network.yaml:9:49: error[invalid-value]: `backpressure` must be more than 0.0
network.yaml:10:15: error[invalid-value]: `kitchen` is no `ensemble/capability`
  hint: write the ensemble's name, a slash and the capability's name
network.yaml:10:32: error[invalid-value]: `kitchen/cook/fast` is no `ensemble/capability`
  hint: write the ensemble's name, a slash and the capability's name
network.yaml:11:25: error[invalid-value]: `c.py` is no `module:function`
  hint: write the module beside this file, without `.py`, a colon and the function's name
network.yaml:12:24: error[invalid-value]: `steps` must not be empty
""".rstrip()
    )


def test_wrong_names() -> None:
    network = """\
network: Grand Hotel
tags: {Food: x, ok: {aliases: [Bad]}}
ensembles:
  _cli: {}
  bar:
    uses: {A: kitchen/cook, b: {tags: [X]}}
    tools: {"c.d": {python: "c:d"}}
    tasks: {e: {share: [T], steps: [{id: One, template: Done.}]}}
"""
    assert (
        said(network)
        == """\
network.yaml:1:10: error[invalid-name]: `Grand Hotel` is no name
  hint: lower-case letters, digits and hyphens, a letter first, 63 at most
network.yaml:2:8: error[invalid-name]: `Food` is no name
  hint: lower-case letters, digits and hyphens, a letter first, 63 at most
network.yaml:2:32: error[invalid-name]: `Bad` is no name
  hint: lower-case letters, digits and hyphens, a letter first, 63 at most
network.yaml:4:3: error[invalid-name]: `_cli` is no name
  hint: lower-case letters, digits and hyphens, a letter first, 63 at most
network.yaml:6:12: error[invalid-name]: `A` is no name
  hint: lower-case letters, digits and hyphens, a letter first, 63 at most
network.yaml:6:40: error[invalid-name]: `X` is no name
  hint: lower-case letters, digits and hyphens, a letter first, 63 at most
network.yaml:7:13: error[invalid-name]: `c.d` is no name
  hint: lower-case letters, digits and hyphens, a letter first, 63 at most
network.yaml:8:25: error[invalid-name]: `T` is no name
  hint: lower-case letters, digits and hyphens, a letter first, 63 at most
network.yaml:8:42: error[invalid-value]: `One` is no identifier
  hint: lower-case letters, digits and underscores, a letter first
""".rstrip()
    )


def test_contradictions() -> None:
    network = """\
network: n
deliveries: {a: {}, b: {queue: x, topic: y}}
models: {m: [{provider: openai, script: s.yaml}, {provider: scripted}]}
ensembles:
  bar:
    uses: {a: {}, b: {to: kitchen/cook, tags: [x]}}
    tasks: {c: {steps: [{}, {tool: x, use: y}, {use: a, prompt: x}, {agent: a, input: x}, {template: x, input: y}]}}
"""
    assert (
        said(network)
        == """\
network.yaml:2:14: error[missing-key]: `a` names no method
  hint: give it one of: reply, none, queue, topic, webhook, store, websocket, broadcast_claim
network.yaml:2:21: error[conflicting-keys]: `b` has `queue` and `topic`; a delivery has one method
  hint: keep one of them
network.yaml:3:14: error[conflicting-keys]: only a scripted model takes a `script`
  hint: write `provider: scripted`
network.yaml:3:50: error[missing-key]: `script` is missing
  hint: a scripted model needs `script: PATH`
network.yaml:6:12: error[missing-key]: `a` says neither `to` nor `discover`
  hint: write `to: ensemble/capability`, or `discover:` with a name, `tags:`, or both
network.yaml:6:19: error[conflicting-keys]: `b` has `to` and `tags`; a use is either static or discovered
  hint: keep one of them
network.yaml:7:25: error[missing-key]: this step says nothing to do
  hint: give it one of: tool, agent, use, handoff, review, template, python
network.yaml:7:29: error[conflicting-keys]: this step has `tool` and `use`; a step does one thing
  hint: make two steps of it
network.yaml:7:48: error[conflicting-keys]: `use` steps take no `prompt`
  hint: write `input:`
network.yaml:7:69: error[conflicting-keys]: `agent` steps take no `input`
  hint: write `prompt:`
network.yaml:7:91: error[conflicting-keys]: `template` steps take no `input`
  hint: leave it out
""".rstrip()
    )


def test_an_empty_network() -> None:
    network = """\
{}
"""
    assert (
        said(network)
        == """\
network.yaml:1:1: error[missing-key]: the key `network` is missing
  hint: add `network:`
network.yaml:1:1: error[missing-key]: the key `ensembles` is missing
  hint: add `ensembles:`
""".rstrip()
    )


def test_no_ensembles() -> None:
    network = """\
network: n
ensembles: {}
"""
    assert (
        said(network)
        == """\
network.yaml:2:12: error[invalid-value]: `ensembles` must not be empty
  hint: add one, or write a small network that runs with `run-network init DIR`
""".rstrip()
    )


def test_nulls_where_mappings_belong() -> None:
    network = """\
network: n
nats: ~
tags: null
ensembles: {a: null, b: {tools: null, capacity: null, tasks: {t: null}, uses: {u: {to: a/b, retry: null}}}}
"""
    assert (
        said(network)
        == """\
network.yaml:2:7: error[wrong-type]: `nats` must be a mapping, not empty
network.yaml:3:7: error[wrong-type]: `tags` is empty
  hint: give it a value, or leave the key out
network.yaml:4:13: error[wrong-type]: `a` must be an ensemble
  hint: write the path of its file, or the ensemble itself
network.yaml:4:33: error[wrong-type]: `tools` must be a mapping, not empty
network.yaml:4:49: error[wrong-type]: `capacity` must be a mapping, not empty
network.yaml:4:66: error[wrong-type]: `t` must be a mapping, not empty
network.yaml:4:100: error[wrong-type]: `retry` is empty
  hint: give it a value, or leave the key out
""".rstrip()
    )
