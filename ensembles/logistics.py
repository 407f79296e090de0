"""Logistics' tool: which porter goes where."""

from ledger import room_in, rows


def assign_porter(text: str) -> dict[str, object]:
    """The porter for a place and the minutes that the way takes."""
    destination = text.rpartition(" to ")[2]
    room = room_in(destination) if "room" in destination else None
    floor = room[:-2] if room else "0"
    porter = next((row for row in rows("porters") if row["floor"] == floor), rows("porters")[0])
    place = f"room {room}" if room else destination.strip(" .") or "the loading bay"
    return {"porter": porter["porter"], "place": place, "minutes": int(porter["minutes"])}
