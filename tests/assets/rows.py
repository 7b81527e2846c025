"""Rows of any table of which only some columns matter."""

import polars as pl


def rows_of(table, rows):
    """Rows of a table in which what is not said is absent, in the order of its key."""
    known = [{name: row.get(name) for name in table.schema} for row in rows]
    return pl.LazyFrame(known, schema=table.schema).sort(table.key)
