"""`${env:NAME}`, `${env:NAME:-default}` and `${file:path}`: how secrets come into a network without standing in it."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping

from pydantic import JsonValue

from runner.config.codes import Rule
from runner.config.library import Library, Unread
from runner.config.path import Path
from runner.config.suggest import closest_variable
from runner.config.written import Written
from runner.diagnostics import Diagnostic

_REFERENCE = re.compile(r"\$\{(env|file):([^}]*)\}")
_UNCLOSED = re.compile(r"\$\{(env|file):[^}]*$")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHORTEST_SECRET = 3


class _Unresolved(Exception):
    def __init__(self, code: Rule, message: str, hint: str | None) -> None:
        self.code, self.message, self.hint = code, message, hint
        super().__init__(message)


class References:
    """Resolves references. What they give is secret from then on: `scrub` takes it out of anything that is shown.

    The files that they name are read from a library of their own, which is no part of what the network consists of.
    """

    def __init__(self, env: Mapping[str, str], vault: Library) -> None:
        self._env = env
        self._vault = vault
        self._secrets: dict[str, str] = {}
        self._given: dict[str, str] = {}

    @property
    def secrets(self) -> frozenset[str]:
        """The texts that references stood for."""
        return frozenset(self._secrets)

    def digest(self, salt: str) -> str:
        """Of all references and what they stood for: another one where any has changed. Empty without references."""
        if not self._given:
            return ""
        given = json.dumps(self._given, sort_keys=True).encode()
        return hmac.new(salt.encode(), given, hashlib.sha256).hexdigest()

    def digests(self, salt: str) -> dict[str, str]:
        """Of each reference what it stood for, by `file: reference`: to be compared, and to show nothing."""
        given = sorted(self._given.items())
        return {name: hmac.new(salt.encode(), value.encode(), hashlib.sha256).hexdigest() for name, value in given}

    def skip_switched_off(self, written: Written, entries: Iterable[Path]) -> None:
        """Take out every entry whose `when:` is empty, whatever else it says. Later entries of a list come first."""
        for path in entries:
            condition = written.at((*path, "when"))
            if isinstance(condition, str) and self._is_empty(condition, written.file):
                written.prune(path, switched_off=True)

    def resolve(self, written: Written) -> list[Diagnostic]:
        """Put what references stand for in their place. What stays unresolved is pruned and reported."""
        if "${" not in written.document.text.content:
            return []
        failures: list[tuple[Path, _Unresolved]] = []
        written.replace(
            {key: self._resolved(value, (key,), written.file, failures) for key, value in written.data.items()}
        )
        diagnostics = [
            Diagnostic(failure.code, failure.message, written.span(path), hint=failure.hint)
            for path, failure in failures
        ]
        for path, _ in reversed(failures):
            written.prune(path)
        return diagnostics

    def scrub(self, diagnostic: Diagnostic) -> Diagnostic:
        """The diagnostic with every secret in it named by its reference."""
        if not self._secrets:
            return diagnostic
        hint = None if diagnostic.hint is None else self._scrubbed(diagnostic.hint)
        message = self._scrubbed(diagnostic.message)
        return Diagnostic(diagnostic.code, message, diagnostic.span, diagnostic.severity, hint)

    def _scrubbed(self, text: str) -> str:
        for secret, reference in sorted(self._secrets.items(), key=lambda pair: -len(pair[0])):
            shown = secret if len(secret) >= _SHORTEST_SECRET else f"`{secret}`"
            text = text.replace(shown, reference)
        return text

    def _resolved(self, value: JsonValue, path: Path, file: str, failures: list[tuple[Path, _Unresolved]]) -> JsonValue:
        if isinstance(value, str):
            if "${" not in value:
                return value
            try:
                return self._text(value, file)
            except _Unresolved as failure:
                failures.append((path, failure))
                return value
        if isinstance(value, dict):
            return {key: self._resolved(item, (*path, key), file, failures) for key, item in value.items()}
        if isinstance(value, list):
            return [self._resolved(item, (*path, place), file, failures) for place, item in enumerate(value)]
        return value

    def _is_empty(self, condition: str, file: str) -> bool:
        try:
            return not self._text(condition, file).strip()
        except _Unresolved:
            return False

    def _text(self, text: str, file: str) -> str:
        if _UNCLOSED.search(text):
            raise _Unresolved(Rule.INVALID_REFERENCE, f"the reference in `{text}` is not closed", "end it with `}`")
        return _REFERENCE.sub(lambda match: self._noted(match, file), text)

    def _noted(self, match: re.Match[str], file: str) -> str:
        value = self._given[f"{file}: {match[0]}"] = self._value(match, file)
        return value

    def _value(self, match: re.Match[str], file: str) -> str:
        reference, kind, said = match[0], match[1], match[2]
        if kind == "file":
            value = self._file(said, reference, file)
        else:
            name, has_default, default = said.partition(":-")
            if not _VARIABLE.fullmatch(name):
                hint = "write `${env:NAME}` or `${env:NAME:-default}`"
                raise _Unresolved(Rule.INVALID_REFERENCE, f"`{reference}` names no variable", hint)
            if has_default and not self._env.get(name):
                return default
            value = self._variable(name)
        if value:
            self._secrets[value] = reference
        return value

    def _variable(self, name: str) -> str:
        if name not in self._env:
            meant = closest_variable(name, self._env)
            otherwise = f"set {name}, put it in `.env`, or give a default: `${{env:{name}:-default}}`"
            hint = f"did you mean `{meant}`?" if meant is not None else otherwise
            raise _Unresolved(Rule.UNSET_REFERENCE, f"the environment variable `{name}` is not set", hint)
        return self._env[name]

    def _file(self, path: str, reference: str, file: str) -> str:
        text = self._vault.text(path, said_in=file)
        if isinstance(text, Unread):
            raise _Unresolved(text.code, f"`{reference}`: {text.message}", text.hint)
        return text.rstrip("\r\n")
