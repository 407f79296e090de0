"""The lock file as written: what each discovered use came to when it was locked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from runner.config.fields import FileModel, Name, Target
from runner.subjects import NAME_PATTERN

UseName = Annotated[str, Field(pattern=rf"^{NAME_PATTERN}/{NAME_PATTERN}(\.catalog-[0-9]+)?$")]
"""`ensemble/use`, or `ensemble/agent.catalog-place` for what an agent looks up."""


class LockedUseFile(FileModel):
    """One discovered use."""

    need: str
    """What it looked for: a name, tags, or both."""
    providers: dict[Target, Annotated[str, Field(min_length=1)]]
    """The capabilities that it may come to, each with the fingerprint of its contract."""


class LockFile(FileModel):
    """Everything that is discovered in a network."""

    version: Literal[1] = 1
    """The version of this format."""
    network: Name
    """Of which network."""
    uses: dict[UseName, LockedUseFile] = Field(default_factory=dict)
    """By use."""
