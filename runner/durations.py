"""Durations as people write them: `30s`, `5m`, `1h30m`, `7d`, or ISO 8601 such as `PT30M`."""

from __future__ import annotations

import re
from datetime import timedelta

_SHORT = re.compile(
    r"(?:(?P<days>\d{1,9})d)?(?:(?P<hours>\d{1,9})h)?(?:(?P<minutes>\d{1,9})m)?"
    r"(?:(?P<seconds>\d{1,9}(?:\.\d{1,9})?)s)?(?:(?P<milliseconds>\d{1,9})ms)?"
)
_ISO = re.compile(
    r"P(?:(?P<weeks>\d{1,9})W)?(?:(?P<days>\d{1,9})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,9})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,9}(?:\.\d{1,9})?)S)?)?"
)


def parse_duration(text: str) -> timedelta:
    """The duration that the text says, never negative. Raises ValueError, whose message a user can read."""
    stripped = text.strip()
    found = (_ISO if stripped.startswith("P") else _SHORT).fullmatch(stripped)
    parts = {unit: float(amount) for unit, amount in (found.groupdict() if found else {}).items() if amount}
    if not parts:
        raise ValueError(f"`{text}` is no duration: write `30s`, `5m`, `1h30m` or `PT30M`")
    try:
        return timedelta(**parts)
    except OverflowError:
        raise ValueError(f"`{text}` is longer than any duration can be") from None


def format_duration(duration: timedelta) -> str:
    """The short form: `1h30m`, `5m`, `2.5s`, `40ms`; `0s` for nothing."""
    milliseconds = round(duration / timedelta(milliseconds=1))
    if 0 < milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    whole = "".join(f"{amount}{unit}" for amount, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if amount)
    return whole + (f"{rest / 1000:g}s" if rest or not whole else "")
