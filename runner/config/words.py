"""How diagnostics of shape speak: labels, quoted values, kinds and bounds in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from runner.config.path import Path

_LONGEST_SHOWN = 60
KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
MERGE_HINT = "YAML 1.2 has no merge keys: repeat a whole value with an alias, or write the keys out"
_SHORT_FORMS = {
    "UseFile": "`ensemble/capability` or a mapping",
    "ShareFile": "true, a list of tags or a mapping",
    "TagFile": "a description or a mapping",
    "AskedDelivery": "the name of a delivery or a mapping",
    "WebhookFile": "an address or a mapping",
    "StoreFile": "a key or a mapping",
    "FanOutFile": "a template or a mapping",
}
_PATTERNS = {
    "://": ("no address of a server", "write `nats://HOST:PORT`"),
    r"^(\*|": ("no scope", "write `*`, `ensemble/*` or `ensemble/capability`"),
    "/": ("no `ensemble/capability`", "write the ensemble's name, a slash and the capability's name"),
    ":[": ("no `module:function`", "write the module beside this file, without `.py`, a colon and the function's name"),
    "_]*": ("no identifier", "lower-case letters, digits and underscores, a letter first"),
}
NO_NAME = ("no name", "lower-case letters, digits and hyphens, a letter first, 63 at most")


def label(path: Path) -> str:
    """What messages call the thing at a path: its key, or its place in a list."""
    match path[-2:]:
        case (*_, str(key)):
            return f"`{key}`"
        case (str(key), int(place)):
            return f"item {place + 1} of `{key}`"
        case (_, int(place)) | (int(place),):
            return f"item {place + 1}"
    return "the file"


def shown(value: JsonValue) -> str:
    """A value as messages quote it."""
    if isinstance(value, (dict, list)) or value is None:
        return kind_of(value)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
    return f"`{text}`"


def kind_of(value: JsonValue) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return "true or false"
        case str():
            return "text" if value else "an empty text"
        case int() | float():
            return "a number"
        case list():
            return "a list"
    return "a mapping"


def kind_said(kind: str, context: Mapping[str, object]) -> str:
    """What a value must be, short forms included."""
    return _SHORT_FORMS.get(str(context.get("class_name")), KINDS[kind])


def pattern_said(pattern: str) -> tuple[str, str]:
    return next((said for part, said in _PATTERNS.items() if part in pattern), NO_NAME)


def bound_said(kind: str, context: Mapping[str, object]) -> str:
    match kind:
        case "greater_than_equal":
            return f"must be at least {context['ge']}"
        case "less_than_equal":
            return f"must be at most {context['le']}"
        case "greater_than":
            return f"must be more than {context['gt']}"
        case "too_short" | "string_too_short":
            return "must not be empty"
    return "does not fit here"


def keys_said(known: Sequence[str]) -> str | None:
    return f"the keys here are {', '.join(f'`{key}`' for key in known)}" if known else None
