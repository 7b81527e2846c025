"""Text that others wrote, as it may be shown in a terminal or a page."""

from __future__ import annotations


def plain(text: str) -> str:
    """The text with everything that would steer a terminal, or turn its direction, written out."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )
