"""The warehouse's tool, shared with the network."""

STOCK = {"lamp": 12, "chair": 4}


def count_stock(text: str) -> str:
    """How many there are of the goods that the text names."""
    found = [f"{amount} {goods}s" for goods, amount in STOCK.items() if goods in text.lower()]
    return ", ".join(found) or "nothing of that"
