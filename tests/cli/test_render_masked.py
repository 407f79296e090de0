"""No line of a file that is shown has a secret in it that stands there."""

from __future__ import annotations

import pytest

from runner.cli.render.diagnostics import human
from runner.cli.render.masked import blotted, masked
from runner.diagnostics import Diagnostic, Span
from runner.plan.changes import Mask


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('  url: "nats://me:canary@host:4222"', '  url: "nats://(hidden)@host:4222"'),
        ("http: http://me:can@ry@host/x", "http: http://(hidden)@host/x"),
        ("token: canary # of the chef", "token: (hidden) # of the chef"),
        ("{secret: 'canary', url: http://a}", "{secret: (hidden), url: http://a}"),
        ("nats: {url: [nats://canary@host:4222]}", "nats: {url: [nats://(hidden)@host:4222]}"),
        ("token: a phrase with a canary  # of the chef", "token: (hidden)  # of the chef"),
        ("{token: two canaries, url: http://a}", "{token: (hidden), url: http://a}"),
        ("token: a,canary", "token: (hidden)"),
        ("token: a#canary}b", "token: (hidden)"),
        ('token: "a \\"canary\\""', "token: (hidden)"),
        ("token: 'a ''canary'", "token: (hidden)"),
        ("token: ${env:TOKEN}", "token: ${env:TOKEN}"),
        ("write to http://host/at?mail=me:you@host", "write to http://host/at?mail=me:you@host"),
    ],
)
def test_a_secret_in_a_line_is_hidden(line: str, shown: str) -> None:
    assert masked(line) == shown
    assert len(blotted(line)) == len(line)
    assert "can" not in blotted(line)


def test_an_excerpt_keeps_its_columns() -> None:
    text = 'health: {http: "http://me:canary@host"}\n'
    told = human([Diagnostic("x", "y", Span("a.yaml", 1, 16, 1, 39))], {"a.yaml": text}).splitlines()
    assert told[1] == '  1 | health: {http: "http://•••••••••@host"}'
    assert told[2] == "    | " + " " * 15 + "^" * 23


def test_a_value_in_a_plan_has_no_user() -> None:
    for address in ("http://me:can@ry@host/x@y", "http://me:canary@host/x@y", "http://host/x@y"):
        assert Mask().text(address) == "http://host/x@y"
