"""The front desk's tool: the room ledger."""

from ledger import room_in, rows


def look_up_room(text: str) -> dict[str, object]:
    """Who lives in a room, and what to know about them."""
    number = room_in(text)
    for room in rows("rooms"):
        if room["room"] == number and room["guest"]:
            return {"found": True, "room": number, "guest": room["guest"], "note": room["note"]}
    return {"found": False, "answer": f"Room {number} has no guest." if number else "Which room is it?"}
