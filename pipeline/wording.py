"""How numbers stand in a sentence."""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 month`, `2 months`, `1,200 months`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
