"""Procurement's tools: the parts catalogue."""

from dataclasses import dataclass

from ledger import rows

from runner import Context, Refused


@dataclass
class Offers:
    """What the catalogue has for a list of parts. A dataclass goes over the wire as a mapping."""

    goods: str
    suppliers: str
    total: float
    eta: str


def find_offers(text: str) -> Offers:
    """The cheapest offer for each part of a list."""
    wanted = [part.strip().casefold() for part in text.replace(" and ", ",").split(",") if part.strip()]
    offers = []
    for part in wanted:
        matching = [row for row in rows("catalogue") if row["part"] == part]
        if not matching:
            raise Refused(f"Nobody in our catalogue sells {part}.")
        offers.append(min(matching, key=lambda row: float(row["price"])))
    if not offers:
        raise Refused("An order needs at least one part.")
    days = max(int(offer["days"]) for offer in offers)
    return Offers(
        goods=", ".join(offer["part"] for offer in offers),
        suppliers=", ".join(sorted({offer["supplier"] for offer in offers})),
        total=sum(float(offer["price"]) for offer in offers),
        eta="today" if days == 0 else "tomorrow" if days == 1 else f"in {days} days",
    )


def order_number(text: str, context: Context) -> str:
    """A number for the order; a repeated delivery of the same request gets the same one."""
    return f"P-{1000 + int(context.idempotency_key[:8], 16) % 9000}"
