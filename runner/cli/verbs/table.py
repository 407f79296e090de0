"""Every verb: where it lives and its one line of help. A module is imported when its verb is asked for."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_VERB = "up"


@dataclass(frozen=True, slots=True)
class Verb:
    """`module` is under `runner.cli.verbs` and has the verb as its `run`."""

    module: str
    help: str


VERBS = {
    "up": Verb("up", "Bring the network up and show what happens in it (the default)."),
    "down": Verb("down", "Ask the running network to drain and stop."),
    "validate": Verb("validate", "Say everything that is wrong with the file."),
    "call": Verb("call", "Ask a capability and print its answer."),
    "result": Verb("result", "Print the outcome of a request, once there is one."),
    "cancel": Verb("cancel", "Cancel a request."),
    "drain": Verb("drain", "Take an ensemble out of service, or bring it back."),
    "retry": Verb("retry", "Queue dead letters again."),
    "requests": Verb("requests", "List the requests and where they stand."),
    "plan": Verb("plan", "Show what applying the files would change."),
    "apply": Verb("apply", "Apply the files to the network that runs."),
    "rollback": Verb("rollback", "Go back to the files of an earlier generation."),
    "status": Verb("status", "Show the runners and ensembles and their load."),
    "catalog": Verb("catalog", "List the capabilities now on offer."),
    "history": Verb("history", "List the generations of the network's files."),
    "diff": Verb("diff", "Show how the files of two generations differ."),
    "why": Verb("why", "Say why a use goes where it goes."),
    "lock": Verb("lock", "Write down what discovered uses come to."),
    "graph": Verb("graph", "Draw the ensembles and their wiring."),
    "trace": Verb("trace", "Show where a request went and how long it took."),
    "logs": Verb("logs", "Print what happened, one line an event."),
    "init": Verb("init", "Write a small network that runs."),
    "schema": Verb("schema", "Print or write the JSON Schemas of the files and the wire."),
    "explain": Verb("explain", "Tell the story of a code, with a failing and a fixed example."),
}

LATER = frozenset({"reviews", "approve", "deny", "mcp"} | {"provenance", "directive", "profile", "permissions", "test"})
"""Verbs that a coming version brings: they are refused by name, not as a typing mistake."""
