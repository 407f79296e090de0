"""The network file as written. Ensembles stay as they are: each is read for itself."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, JsonValue, ValidatorFunctionWrapHandler, WrapValidator, model_validator

from runner.config.codes import Rule
from runner.config.delivery_file import DeliveryFile
from runner.config.ensemble_file import EnsembleFile
from runner.config.fields import (
    Bytes,
    Count,
    Duration,
    FileModel,
    FilePath,
    Given,
    Level,
    Name,
    ScopePattern,
    Urgency,
    problem,
)


def _urls(value: object) -> object:
    return [value] if isinstance(value, str) else value


Address = Annotated[str, Field(pattern=r"^(nats|tls|ws|wss)://\S+$")]
Addresses = Annotated[
    list[Address], Field(min_length=1), BeforeValidator(_urls, json_schema_input_type=Address | list[Address])
]


class TlsFile(FileModel):
    """Certificates for the connection to the server."""

    ca: Given[FilePath] = None
    """The authority's certificate."""
    cert: Given[FilePath] = None
    """The client's certificate."""
    key: Given[FilePath] = None
    """The client's key."""


class NatsFile(FileModel):
    """The NATS server. Empty: one is started for you on this machine."""

    url: Given[Addresses] = None
    """The address of a server or cluster, or several."""
    credentials: Given[str] = None
    """The text of a credentials file, by reference: `${file:...}`."""
    tls: Given[TlsFile] = None
    """Certificates for the connection."""


class TagFile(FileModel):
    """A word of the vocabulary."""

    description: str = ""
    """What it means."""
    aliases: tuple[Name, ...] = ()
    """Other words for the same."""


def _described(value: object) -> object:
    return {"description": value} if isinstance(value, str) else value


class ModelFile(FileModel):
    """One model of a route."""

    provider: Name
    """Who runs it; `scripted` plays a script and needs no key."""
    script: Given[FilePath] = None
    """The script of a scripted model."""
    base_url: Given[str] = None
    """The address of the provider's interface."""
    model: Given[str] = None
    """The provider's name of the model."""
    api_key: Given[str] = None
    """The key, by reference: `${env:NAME}`."""
    when: Given[str] = None
    """The entry is left out while this is empty, usually `${env:NAME:-}`."""

    @model_validator(mode="after")
    def _scripted(self) -> ModelFile:
        if self.provider == "scripted" and self.script is None:
            raise problem(Rule.MISSING_KEY, "`script` is missing", "a scripted model needs `script: PATH`")
        if self.provider != "scripted" and self.script is not None:
            raise problem(Rule.CONFLICTING_KEYS, "only a scripted model takes a `script`", "write `provider: scripted`")
        return self


class RoleFile(FileModel):
    """Who may decide reviews."""

    token: str = ""
    """What proves it, by reference: `${env:NAME}`."""


class ClientFile(FileModel):
    """A caller from outside."""

    token: str = ""
    """What proves it, by reference: `${env:NAME}`."""
    scope: tuple[ScopePattern, ...] = ("*",)
    """The capabilities it may call."""
    authority: Level = "autonomous"
    """The highest level it may require."""


class DefaultsFile(FileModel):
    """What holds where nothing else is said."""

    priority: Given[Urgency] = None
    """The urgency of requests."""
    deadline: Given[Duration] = None
    """How long a request may take."""
    ageing: Given[Duration] = None
    """How long a task waits before it counts as one level more urgent."""
    max_hops: Given[Count] = None
    """How many capabilities a request may pass through."""
    drain_timeout: Given[Duration] = None
    """How long work in flight may take to finish on shutdown."""
    on_remove: Given[Literal["hold", "fail"]] = None
    """What becomes of the queue of an ensemble that is removed."""
    results_kept: Given[Duration] = None
    """How long outcomes can be asked for."""
    max_attempts: Given[Count] = None
    """How often a task is really started before it is put to the dead letters; without it 5."""
    max_payload: Given[Bytes] = None
    """The most bytes that a context or a result may have; without it 64 MiB."""


class AuditFile(FileModel):
    """What is recorded of the network's work."""

    level: Literal["off", "standard", "full"] = "standard"
    """How much is recorded."""
    kept: Given[Duration] = None
    """For how long."""


def _as_it_is(value: JsonValue, _: ValidatorFunctionWrapHandler) -> JsonValue:
    return value


TagEntry = Annotated[TagFile, BeforeValidator(_described, json_schema_input_type=str | TagFile)]
EnsembleEntry = Annotated[JsonValue, WrapValidator(_as_it_is, json_schema_input_type=FilePath | EnsembleFile)]


class NetworkFile(FileModel):
    """A network of ensembles."""

    version: Literal[1] = 1
    """The version of this format."""
    network: Name
    """Its name: the first token of every subject."""
    nats: NatsFile = Field(default_factory=NatsFile)
    """The NATS server. Empty: one is started for you on this machine."""
    tags: Given[dict[Name, TagEntry]] = None
    """The vocabulary; where it is given, a tag outside it is an error."""
    models: dict[Name, tuple[ModelFile, ...]] = Field(default_factory=dict)
    """Model routes: the first of each list that answers is used."""
    deliveries: dict[Name, DeliveryFile] = Field(default_factory=dict)
    """Deliveries by name, for wherever one is asked for."""
    roles: dict[Name, RoleFile] = Field(default_factory=dict)
    """Who may decide reviews; `operator` is built in."""
    clients: dict[Name, ClientFile] = Field(default_factory=dict)
    """Callers from outside."""
    defaults: DefaultsFile = Field(default_factory=DefaultsFile)
    """What holds where nothing else is said."""
    audit: AuditFile = Field(default_factory=AuditFile)
    """What is recorded of the network's work."""
    profiles: dict[Name, dict[Name, dict[str, JsonValue]]] = Field(default_factory=dict)
    """Changes to ensembles, applied together by name."""
    ensembles: Annotated[dict[Name, EnsembleEntry], Field(json_schema_extra={"minProperties": 1})]
    """The ensembles: each a path, or the ensemble itself."""
