"""Maintenance's tools: what breaks, what it takes, and the list of repairs."""

from ledger import room_in, rows

from runner import Refused


def diagnose(text: str) -> dict[str, object]:
    """What is broken, who mends it and which part that takes."""
    room = room_in(text)
    if room is None:
        raise Refused("Which room is it?")
    asked = text.casefold()
    fault = next((row for row in rows("faults") if row["thing"] in asked), None)
    if fault is None:
        return {"room": room, "who": "The duty engineer", "part": None, "minutes": 30}
    return {"room": room, "who": fault["who"], "part": fault["part"] or None, "minutes": int(fault["minutes"])}


def repair_status(text: str) -> str:
    """How far the repair in a room is."""
    room = room_in(text)
    open_repairs = [row for row in rows("repairs") if row["room"] == room]
    if not open_repairs:
        return f"Nothing is under repair in room {room}." if room else "Which room is it?"
    return " ".join(f"Room {room}, {row['thing']}: {row['state']}." for row in open_repairs)
