"""The lock file as written: what each discovered use came to when it was locked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from runner.config.fields import FileModel, Level, Name, Target
from runner.subjects import NAME_PATTERN

UseName = Annotated[str, Field(pattern=rf"^{NAME_PATTERN}/{NAME_PATTERN}(\.catalog-[0-9]+)?$")]
"""`ensemble/use`, or `ensemble/agent.catalog-place` for what an agent looks up."""


class LockedUseFile(FileModel):
    """One discovered use."""

    need: str
    """What it looked for: a name, tags, or both."""
    providers: dict[Target, Annotated[str, Field(min_length=1)]]
    """The capabilities that it may come to, each with the fingerprint of its contract."""


class LockedSchemaFile(FileModel):
    """What an input is made of."""

    properties: dict[Annotated[str, Field(min_length=1)], str] = Field(default_factory=dict)
    """Each with its type and a digest of all that is said of it."""
    required: list[str] = Field(default_factory=list)
    """Which of them must be there."""
    rest: str = ""
    """A digest of everything else."""


class ContractFile(FileModel):
    """What a caller of a capability relies on."""

    type: Literal["task", "tool"]
    """What it is."""
    authority: Level
    """The highest that it carries."""
    tags: list[Name] = Field(default_factory=list)
    """What it carries."""
    domain: Name | None = None
    """Of its ensemble."""
    description: str | None = None
    """A digest of it."""
    input_schema: LockedSchemaFile | None = None
    """Of a task that is typed."""


class LockFile(FileModel):
    """Everything that is discovered in a network."""

    version: Literal[1] = 1
    """The version of this format."""
    network: Name
    """Of which network."""
    uses: dict[UseName, LockedUseFile] = Field(default_factory=dict)
    """By use."""
    contracts: dict[Target, ContractFile] = Field(default_factory=dict)
    """Of the providers, so that a change of one can be told in words."""
