"""Made-up identifiers in the Hub's form."""

from __future__ import annotations

import hashlib


def hexadecimal(text: str, digits: int = 40) -> str:
    """Hexadecimal digits that depend on nothing but a text: a commit, an account's id, an ETag."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:digits]
