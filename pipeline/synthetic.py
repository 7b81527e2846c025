"""How what was never measured is told from what was: one label, wherever figures of a synthetic Hub are shown."""

import polars as pl

LABEL = "SYNTHETIC SAMPLE, not the real Hub"
SOURCE = "sample"
"""The source that is synthetic by its name."""
MARK = " (synthetic)"
"""With which the name of any other source ends where the Hub that it read says that it is synthetic."""


def is_synthetic(source: str) -> bool:
    """Whether months of the source are invented."""
    return source == SOURCE or source.endswith(MARK)


def is_synthetic_source(source: pl.Expr) -> pl.Expr:
    """The same for a column."""
    return (source == SOURCE) | source.str.ends_with(MARK)


def label(*, is_synthetic: bool) -> str:
    """What a text about figures begins with: the label as a sentence, or nothing."""
    return f"{LABEL}. " if is_synthetic else ""
