"""What is read but not done yet is said: a warning, or an error where ignoring it would loosen a guard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runner.config.codes import Rule
from runner.config.draft import Draft, Member
from runner.config.ensemble_file import UseFile
from runner.config.path import Path
from runner.config.step_file import StepFile
from runner.config.written import Written
from runner.diagnostics import Diagnostic, Severity

_LATER_SECTIONS = {"schedules": "nothing runs by the clock", "memory": "there is no shared memory"}
_LATER_USE_KEYS = {
    "retry": "nothing is tried again",
    "circuit_breaker": "a failing provider is called all the same",
}
_PRESENT_METHODS = ("name", "reply", "none", "queue", "topic", "store")
_LATER_DELIVERY = "the result goes to whoever waits"


@dataclass(frozen=True, slots=True)
class _Later:
    """One thing as it stands in the file. `instead` says what happens until it exists; None refuses the file."""

    place: Path
    what: str
    instead: str | None


def later_features_are_named(draft: Draft) -> Iterator[Diagnostic]:
    yield from _said(draft.written, _network(draft))
    for member in draft.members.values():
        yield from _said(member.written, _ensemble(member))


def _said(written: Written, features: Iterator[_Later]) -> Iterator[Diagnostic]:
    for feature in features:
        span = written.span(written.existing(feature.place), key=isinstance(feature.place[-1], str))
        if feature.instead is None:
            hint = "take it out; running without it would loosen a guard"
            yield Diagnostic(Rule.NOT_YET_SUPPORTED, f"{feature.what} is not supported yet", span, hint=hint)
        else:
            message = f"{feature.what} is not supported yet"
            yield Diagnostic(Rule.NOT_YET_SUPPORTED, message, span, Severity.WARNING, f"until then, {feature.instead}")


def _network(draft: Draft) -> Iterator[_Later]:
    file = draft.file
    if file.nats.tls is not None:
        yield _Later(("nats", "tls"), "`tls`", None)
    for route, models in file.models.items():
        for number, model in enumerate(models):
            if model.provider != "scripted":
                place: Path = ("models", route, number, "provider")
                yield _Later(place, f"the model provider `{model.provider}`", "the route goes past it")
    for name, delivery in file.deliveries.items():
        if delivery.method not in _PRESENT_METHODS:
            place = ("deliveries", name, delivery.method)
            yield _Later(place, f"the delivery method `{delivery.method}`", _LATER_DELIVERY)
    for name in file.roles:
        yield _Later(("roles", name), f"the role `{name}`", None)
    for name in file.clients:
        yield _Later(("clients", name), f"the client `{name}`", None)
    if file.audit.level != "standard":
        yield _Later(("audit", "level"), "an `audit.level` other than `standard`", "it is `standard`")
    for name in file.profiles:
        yield _Later(("profiles", name), f"the profile `{name}`", "the ensembles stay as they are")


def _ensemble(member: Member) -> Iterator[_Later]:
    file = member.file
    if file.scope != ("*",) and not member.written.is_thinned(("scope",)):
        yield _Later(("scope",), 'a `scope` other than `["*"]`', None)
    if file.replicas > 1:
        yield _Later(("replicas",), "`replicas`", "one runs on each runner")
    for section, instead in _LATER_SECTIONS.items():
        for name in getattr(file, section):
            yield _Later((section, name), f"`{name}` in `{section}`", instead)
    for name, use in file.uses.items():
        if len(use.model_fields_set) > 1:
            yield from _use(("uses", name), use)
    for name, task in file.tasks.items():
        for number, step in enumerate(task.steps):
            yield from _step(("tasks", name, "steps", number), step)


def _use(place: Path, use: UseFile) -> Iterator[_Later]:
    if use.authority != "autonomous":
        yield _Later((*place, "authority"), f"requiring `{use.authority}`", None)
    if use.delivery is not None and use.delivery.method not in _PRESENT_METHODS:
        what = f"the delivery method `{use.delivery.method}`"
        yield _Later((*place, "delivery", use.delivery.method), what, _LATER_DELIVERY)
    for key, instead in _LATER_USE_KEYS.items():
        if key in use.model_fields_set:
            yield _Later((*place, key), f"`{key}`", instead)


def _step(place: Path, step: StepFile) -> Iterator[_Later]:
    written = step.model_fields_set
    if "review" in written:
        yield _Later((*place, "review"), "a `review` step", None)
