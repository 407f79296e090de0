"""The kitchen's tools. Plain functions: what they take and give is read from their signatures.

A function of one string takes natural language; one of several parameters takes named arguments. What it returns goes
over the wire as JSON.
"""

from ledger import room_in, rows

from runner import Context, Refused


def portions() -> dict[str, int]:
    return {row["ingredient"]: int(row["portions"]) for row in rows("pantry")}


def check_inventory(text: str) -> str:
    """How many portions of an ingredient are left."""
    wanted = text.casefold().strip(" ?.!")
    found = {name: left for name, left in portions().items() if name in wanted or (wanted and wanted in name)}
    if not found:
        return f"We do not keep {wanted}." if wanted else "Which ingredient is it?"
    return " ".join(
        f"Yes, {left} portions of {name} available." if left else f"No, we are out of {name}."
        for name, left in found.items()
    )


def read_order(text: str) -> dict[str, object]:
    """Find the dish, the wishes and the room in an order, and what the pantry lacks for it."""
    room = room_in(text)
    if room is None:
        raise Refused("Which room is it for?")
    asked = text.casefold()
    dish = next((row for row in rows("menu") if row["dish"].casefold() in asked), None)
    if dish is None:
        menu = ", ".join(row["dish"] for row in rows("menu"))
        raise Refused(f"That is not on the menu. Today we cook {menu}.")  # the caller's fault, so never retried
    ingredients = dish["ingredients"].split(";")
    missing = [name for name in ingredients if not portions().get(name)]
    name = dish["dish"].casefold()
    wishes = [part.strip() for part in text.split(",") if name not in part.casefold() and "room" not in part]
    return {
        "dish": dish["dish"],
        "wishes": [wish for wish in wishes if wish],
        "room": room,
        "ingredients": ingredients,
        "missing": missing,
        "in_stock": not missing,
        "minutes": int(dish["minutes"]),
    }


async def open_ticket(dish: str, room: str, context: Context) -> int:
    """Open a kitchen ticket. The number comes from the idempotency key: a repeated delivery gets the same one."""
    await context.progress(f"cooking {dish} for room {room}", 50)
    return 1000 + int(context.idempotency_key[:8], 16) % 9000
