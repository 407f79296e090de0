"""A draft without errors → the resolved `Network`. Nothing here can be wrong any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from runner.config.delivery_file import AskedDelivery, DeliveryFile
from runner.config.draft import Draft, Member, Script
from runner.config.ensemble_file import CapacityFile, EnsembleFile, HealthFile, ShareFile, TaskFile, UseFile
from runner.config.library import is_prompt_file, located, module_path
from runner.config.network_file import ModelFile, NetworkFile
from runner.config.script_file import CaseFile, TurnFile
from runner.config.step_file import FanOutFile, RetryFile, StepFile
from runner.deliverable import (
    AnyDelivery,
    NoDelivery,
    QueueDelivery,
    ReplyDelivery,
    StoreDelivery,
    TopicDelivery,
    UnsupportedDelivery,
)
from runner.model import (
    Agent,
    AgentStep,
    AnyModel,
    AnyStep,
    Capacity,
    Case,
    Defaults,
    Discovery,
    EmbeddedServer,
    Ensemble,
    ExternalServer,
    FanOut,
    HandoffStep,
    Mode,
    Network,
    OnConstrained,
    OnDeadline,
    OnLateEta,
    PythonStep,
    PythonTarget,
    Retry,
    ScriptedModel,
    Selection,
    Share,
    StaticTarget,
    Task,
    TemplateStep,
    Tool,
    ToolStep,
    Turn,
    UnsupportedModel,
    UnsupportedStep,
    Use,
    UseStep,
)
from runner.probe import Health
from runner.removal import OnRemove
from runner.work import Authority, Dedupe, DeliverySpec, Placement, Priority

_PRESENT_DEFAULTS = (
    "deadline",
    "ageing",
    "max_hops",
    "drain_timeout",
    "results_kept",
    "max_attempts",
    "max_payload",
)


def resolve(draft: Draft, known: Mapping[str, Ensemble]) -> Network:
    """The network that the draft declares. `known` are ensembles of it that are resolved already."""
    file = draft.file
    network = Network(
        name=file.network,
        ensembles={name: known.get(name) or _ensemble(draft, member) for name, member in draft.members.items()},
        server=_server(file),
        models={
            name: tuple(_model(model, draft.scripts.get((name, place))) for place, model in enumerate(models))
            for name, models in file.models.items()
        },
        deliveries={name: _delivery(delivery) for name, delivery in file.deliveries.items()},
        defaults=_defaults(file),
        tag_aliases={alias: tag for tag, entry in (file.tags or {}).items() for alias in entry.aliases},
    )
    return network if file.audit.kept is None else replace(network, events_kept=file.audit.kept)


def _server(file: NetworkFile) -> EmbeddedServer | ExternalServer:
    if file.nats.url is None:
        return EmbeddedServer()
    return ExternalServer(tuple(file.nats.url), file.nats.credentials)


def _defaults(file: NetworkFile) -> Defaults:
    written = file.defaults
    defaults = Defaults() if written.priority is None else Defaults(priority=_priority(written.priority))
    if written.on_remove is not None:
        defaults = replace(defaults, on_remove=OnRemove(written.on_remove))
    given = {key: value for key in _PRESENT_DEFAULTS if (value := getattr(written, key)) is not None}
    return replace(defaults, **given)


def _model(model: ModelFile, script: Script | None) -> AnyModel:
    if script is None:
        return UnsupportedModel(model.provider)
    return ScriptedModel(script.written.file, tuple(_case(case) for case in script.file.cases))


def _case(case: CaseFile) -> Case:
    return Case(_expression(case.when), case.match, tuple(_turn(turn) for turn in case.turns), case.say)


def _turn(turn: TurnFile) -> Turn:
    return Turn(turn.tool, turn.input, turn.variable, _expression(turn.when))


def _ensemble(draft: Draft, member: Member) -> Ensemble:
    file = member.file
    return Ensemble(
        name=member.name,
        description=file.description,
        domain=file.domain,
        capacity=_capacity(file.capacity),
        health=None if file.health is None else _health(member, file.health),
        placement=Placement(file.placement),
        **({} if file.sla is None else {"sla": file.sla}),
        uses={**{name: _use(draft, name, use) for name, use in file.uses.items()}, **_searches(draft, file)},
        agents={
            name: Agent(
                name,
                agent.model,
                _instructions(draft, member, agent.instructions),
                tuple(agent.named.values()),
                tuple(_search_name(name, place) for place in agent.searches),
            )
            for name, agent in file.agents.items()
        },
        tools={
            name: Tool(
                name, _python(member, tool.python), tool.description, _share(draft, member, tool.share), tool.idempotent
            )
            for name, tool in file.tools.items()
        },
        tasks={name: _task(draft, member, name, task) for name, task in file.tasks.items()},
    )


def _use(draft: Draft, name: str, use: UseFile) -> Use:
    target: StaticTarget | Discovery
    if use.to is not None:
        target = _static(use.to)
    else:
        target = Discovery(
            use.discover,
            _tags(draft, use.tags),
            Selection(use.select),
            prefer=_tags(draft, use.prefer),
            avoid=_tags(draft, use.avoid),
            key=use.key,
        )
    return Use(
        name,
        target,
        deadline=use.deadline,
        priority=None if use.priority is None else _priority(use.priority),
        authority=_authority(use.authority),
        max_hops=use.max_hops,
        delivery=None if use.delivery is None else _asked(draft, use.delivery),
        mode=Mode(use.mode),
        fallback=None if use.fallback is None else _static(use.fallback),
        on_deadline=OnDeadline(use.on_deadline),
        on_late_eta=OnLateEta(use.on_late_eta),
        on_constrained=OnConstrained(use.on_constrained),
        dedupe=_dedupe(use.dedupe),
    )


def _searches(draft: Draft, file: EnsembleFile) -> dict[str, Use]:
    """A use for all that an agent looks up: what is discovered is wired and allowed as for any other."""
    return {
        name: Use(name, Discovery(search.name, _tags(draft, search.tags)))
        for agent, written in file.agents.items()
        for place, search in written.searches.items()
        for name in (_search_name(agent, place),)
    }


def _search_name(agent: str, place: int) -> str:
    """What no use in a file can be called."""
    return f"{agent}.catalog-{place}"


def _static(target: str) -> StaticTarget:
    ensemble, _, capability = target.partition("/")
    return StaticTarget(ensemble, capability)


def _dedupe(by: str | None) -> Dedupe | None:
    return None if by is None else Dedupe[by.upper()]


def _health(member: Member, file: HealthFile) -> Health:
    given = {key: value for key in ("interval", "timeout") if (value := getattr(file, key)) is not None}
    python = None if file.python is None else _python(member, file.python)
    return Health(python, file.http, file.tool, file.input, failures=file.failures, **given)


def _capacity(file: CapacityFile) -> Capacity:
    capacity = Capacity(file.max_concurrent, file.queue_limit)
    return capacity if file.backpressure is None else replace(capacity, backpressure=file.backpressure)


def _delivery(file: DeliveryFile) -> AnyDelivery:
    match file.method:
        case "reply":
            return ReplyDelivery()
        case "none":
            return NoDelivery()
    if file.queue is not None:
        return QueueDelivery(file.queue)
    if file.topic is not None:
        return TopicDelivery(file.topic)
    if file.store is not None:
        return StoreDelivery(file.store.key, file.store.ttl)
    return UnsupportedDelivery(file.method)


def _asked(draft: Draft, file: AskedDelivery) -> DeliverySpec | None:
    """As it travels. None, the reply alone, for one that is switched off or of a method that is yet to come."""
    if file.name is not None:
        named = draft.file.deliveries.get(file.name)
        usable = named is not None and not isinstance(_delivery(named), UnsupportedDelivery)
        return DeliverySpec(method="named", address=file.name) if usable else None
    match _delivery(file):
        case QueueDelivery(name) | TopicDelivery(name):
            return DeliverySpec(method=file.method, address=name)
        case StoreDelivery(key, ttl):
            return DeliverySpec(method=file.method, key=key, ttl=ttl)
        case NoDelivery():
            return DeliverySpec(method=file.method)
        case ReplyDelivery() | UnsupportedDelivery():
            return None


def _task(draft: Draft, member: Member, name: str, task: TaskFile) -> Task:
    contract = draft.contracts.get((member.name, name))
    return Task(
        name=name,
        steps=tuple(_step(member, index, step) for index, step in enumerate(task.steps)),
        output=task.output,
        description=task.description,
        share=_share(draft, member, task.share),
        input_schema=contract.schema if contract is not None else None,
        dedupe=_dedupe(task.dedupe),
    )


def _step(member: Member, index: int, step: StepFile) -> AnyStep:
    return replace(
        _action(member, index, step),
        needs=step.needs,
        for_each=_fan_out(step.for_each),
        retry=_retry(step.retry),
    )


def _fan_out(fan_out: FanOutFile | None) -> FanOut | None:
    return None if fan_out is None else FanOut(fan_out.items, fan_out.max_concurrent)


def _retry(retry: RetryFile | None) -> Retry | None:
    if retry is None:
        return None
    return Retry(retry.attempts) if retry.backoff is None else Retry(retry.attempts, retry.backoff)


def _action(member: Member, index: int, step: StepFile) -> AnyStep:
    place = (index, step.id, _expression(step.when))
    if step.tool is not None:
        return ToolStep(*place, step.tool, step.input)
    if step.use is not None:
        return UseStep(*place, step.use, step.input)
    if step.handoff is not None:
        return HandoffStep(*place, step.handoff, step.input)
    if step.agent is not None:
        return AgentStep(*place, step.agent, step.prompt)
    if step.python is not None:
        return PythonStep(*place, _python(member, step.python), step.input)
    if step.kind == "template":
        return TemplateStep(*place, step.template)
    return UnsupportedStep(*place, feature=step.kind)


def _share(draft: Draft, member: Member, share: ShareFile | None) -> Share | None:
    if share is None:
        return None
    return Share(_tags(draft, share.tags), _authority(share.authority or member.file.authority), share.cost)


def _tags(draft: Draft, tags: Sequence[str]) -> tuple[str, ...]:
    """The tags that these stand for, each once, in their order."""
    return tuple(dict.fromkeys(draft.canonical(tag) for tag in tags))


def _python(member: Member, reference: str) -> PythonTarget:
    module, _, function = reference.partition(":")
    return PythonTarget(located(module_path(module), said_in=member.written.file) or module, function)


def _instructions(draft: Draft, member: Member, instructions: str) -> str:
    if not is_prompt_file(instructions):
        return instructions
    return cast(str, draft.library.text(instructions, said_in=member.written.file))


def _expression(text: str | None) -> str | None:
    """An expression without the braces around it."""
    if text is None:
        return None
    stripped = text.strip()
    inner = stripped.removeprefix("{{").removesuffix("}}")
    alone = len(inner) == len(stripped) - 4 and "{{" not in inner and "}}" not in inner
    return inner.strip() if alone else stripped


def _priority(level: str) -> Priority:
    return Priority[level.upper()]


def _authority(level: str) -> Authority:
    return Authority[level.upper()]
