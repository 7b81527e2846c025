"""Made-up identifiers in the Hub's form, and the parts of its names."""

from __future__ import annotations

import hashlib

import polars as pl


def hexadecimal(text: str, digits: int = 40) -> str:
    """Hexadecimal digits that depend on nothing but a text: a commit, an account's id, an ETag."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:digits]


def namespace_of(name: pl.Expr) -> pl.Expr:
    """The account in a repository's full name, null for a legacy name without one."""
    parts = name.str.splitn("/", 2).struct
    return pl.when(parts.field("field_1").is_not_null()).then(parts.field("field_0"))
