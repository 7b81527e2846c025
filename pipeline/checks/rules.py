"""Rules and measures that fit any table: what is expected of most rows, or only warned of."""

import polars as pl

from pipeline.schema.declaration import Measure, Rule, Severity, TableFrames


def none_where(table: str, name: str, meaning: str, offends: pl.Expr, severity: Severity = "critical") -> Rule:
    """No row of the table (`group/name`) is one of which `offends` is true."""
    return Rule(name, meaning, lambda frames: frames.scan(table).filter(offends), severity)


def mostly(table: str, name: str, meaning: str, holds: pl.Expr, at_least: float) -> Measure:
    """A warning where a smaller share of the table's rows (`group/name`) holds; without rows it is 1."""
    return Measure(
        name,
        meaning,
        lambda frames: frames.scan(table).select(holds.mean().fill_null(1.0)),
        minimum=at_least,
        severity="warning",
        offending=lambda frames: frames.scan(table).filter(~holds),
    )


def rarely(table: str, name: str, meaning: str, holds: pl.Expr, at_most: float) -> Measure:
    """A warning where a larger share of the table's rows (`group/name`) holds; without rows it is 0."""
    share = holds.mean().fill_null(0.0)
    return Measure(name, meaning, lambda frames: frames.scan(table).select(share), maximum=at_most, severity="warning")


def change(frames: TableFrames, table: str, value: pl.Expr) -> pl.LazyFrame:
    """A number over the table's rows (`group/name`), less what it was in the month before; one cell."""
    now, before = (scan(table).select(value.alias("change")) for scan in (frames.scan, frames.scan_previous))
    both = now.join(before, how="cross", suffix="_before")
    return both.select(pl.col("change") - pl.col("change_before"))


def mostly_known(table: str, column: str, at_least: float) -> Measure:
    """A warning where less than this share of the table's rows (`group/name`) have a value in the column."""
    meaning = f"Share of rows with a value in {column}."
    return mostly(table, f"{column}_mostly_known", meaning, pl.col(column).is_not_null(), at_least)


def mostly_unique(table: str, column: str) -> Rule:
    """A warning where a value of the column stands in several rows of the table (`group/name`)."""
    return none_where(
        table,
        f"{column}_unique",
        f"No value of {column} stands in several rows.",
        pl.struct(column).is_duplicated() & pl.col(column).is_not_null(),
        "warning",
    )


def all_found(name: str, meaning: str, column: str, among: str) -> Rule:
    """Every value of a column stands in another, both as `group/name.column`; absent values are not looked for."""
    (table, key), (other, there) = (path.split(".") for path in (column, among))
    return Rule(
        name,
        meaning,
        lambda frames: (
            frames.scan(table)
            .filter(pl.col(key).is_not_null())
            .join(frames.scan(other).select(there), left_on=key, right_on=there, how="anti")
        ),
    )
