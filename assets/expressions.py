"""Expressions that many tables are made with."""

import polars as pl


def ratio(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """`part` / `whole` as a double, 0 where the whole is nothing. Decimals alone would be divided to six places."""
    return pl.when(whole > 0).then(part.cast(pl.Float64) / whole.cast(pl.Float64)).otherwise(0.0)


def first_case(*cases: tuple[str, pl.Expr], otherwise: str | None = None) -> pl.Expr:
    """The name of the first of the cases that holds, else `otherwise`."""
    found = pl.lit(otherwise, pl.String)
    for name, holds in reversed(cases):
        found = pl.when(holds).then(pl.lit(name)).otherwise(found)
    return found


def namespace_of(model_id: pl.Expr) -> pl.Expr:
    """The account in a repository's name; null for a name without one."""
    return model_id.str.extract(r"^([^/]+)/", 1)


def holds_in_month() -> pl.Expr:
    """Whether a row with `valid_from` and `valid_to` holds on the first day of its `month`."""
    begun = pl.col("valid_from").is_null() | (pl.col("valid_from") <= pl.col("month"))
    return begun & (pl.col("valid_to").is_null() | (pl.col("valid_to") > pl.col("month")))
