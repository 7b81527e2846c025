"""Text that others wrote, as it may be shown in a terminal or a page."""

import html

MARKDOWN = frozenset("\\`*_[]()!|~")
"""Characters that may begin or end markup in Markdown."""


def plain(text: str) -> str:
    """The text with everything that would steer a terminal, or turn its direction, written out."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def in_html(text: str) -> str:
    """Text that stays text in a page, within an attribute too: no markup, nothing that turns its direction."""
    return html.escape(plain(text), quote=True)


def in_markdown(text: str) -> str:
    """Text that stays text in Markdown, on one line: no markup, no link, no code, no HTML."""
    return "".join(f"\\{character}" if character in MARKDOWN else character for character in in_html(plain(text)))
