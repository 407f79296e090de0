"""A model route: the first of its models that can be reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from runner.agents.chat import ChatModel
from runner.agents.scripted import ScriptPlayer
from runner.errors import CallFailed
from runner.model import AnyModel, ScriptedModel, UnsupportedModel
from runner.work import Code


def first_available(route: Sequence[AnyModel], name: str) -> ChatModel:
    """The model to ask. Raises CallFailed with NOT_YET_SUPPORTED where the route has none that this version reaches."""
    for model in route:
        match model:
            case ScriptedModel():
                return ScriptPlayer(model)
            case UnsupportedModel():
                continue
            case _:
                assert_never(model)
    raise CallFailed(
        f"the model route `{name}` has no model that can be reached",
        code=Code.NOT_YET_SUPPORTED,
        hint="end the route with a scripted model",
    )
